/** Parameters of the SMTP server. */

import { bool, choice, int, limit, list, text, time } from "./declare.ts";
import { addressing, identity, sizes } from "./global.ts";
import { networks, words } from "./parsers.ts";
import { restrictions } from "./restrictions.ts";

/** Replies and limits of a session (reference 3.2). */
const session = {
  banner: text("smtpd_banner", "$myhostname ESMTP $mail_name", {
    doc: "The text of the greeting, after 220.",
  }),
  heloRequired: bool("smtpd_helo_required", "no", {
    doc: "Refuse MAIL before HELO or EHLO.",
  }),
  disableVrfyCommand: bool("disable_vrfy_command", "no", {
    doc: "Refuse VRFY.",
  }),
  noopCommands: list("smtpd_noop_commands", "", {
    doc: "Commands that are answered like NOOP, whatever they are.",
  }),
  forbiddenCommands: list(
    "smtpd_forbidden_commands",
    "CONNECT GET POST regexp:{{/^[^A-Z]/ Bogus}}",
    { doc: "Commands that no mail client sends: the session ends at once." },
  ),
  discardEhloKeywords: list("smtpd_discard_ehlo_keywords", "", {
    doc:
      "Extensions that EHLO does not offer and the session does not have; silent-discard tells no log.",
  }),
  softBounce: bool("soft_bounce", "no", {
    doc: "Answer 4xx where 5xx is meant: for trying out a configuration.",
  }),
  strictSmtputf8: bool("strict_smtputf8", "no", {
    doc: "Take Unicode in local parts only where SMTPUTF8 was asked for, as in domains.",
  }),
  strictRfc821Envelopes: bool("strict_rfc821_envelopes", "no", {
    doc: "Demand angle brackets around the addresses of MAIL and RCPT.",
  }),
  lineLengthLimit: int("line_length_limit", "2048", {
    min: 512,
    doc: "The longest command, in bytes.",
  }),
  recipientLimit: int("smtpd_recipient_limit", "1000", {
    min: 1,
    max: 50_000,
    doc: "The most recipients of one message; what is beyond hears 452.",
  }),
  recipientOvershootLimit: int("smtpd_recipient_overshoot_limit", "1000", {
    min: 1,
    doc: "How many recipients beyond the limit are not counted as errors.",
  }),
  junkCommandLimit: int("smtpd_junk_command_limit", "${stress?{1}:{100}}", {
    min: 1,
    doc: "How many NOOP, VRFY, ETRN, RSET and HELO between two messages are not counted as errors.",
  }),
  softErrorLimit: int("smtpd_soft_error_limit", "10", {
    min: 1,
    doc: "From this many errors on each reply is delayed by smtpd_error_sleep_time.",
  }),
  hardErrorLimit: int("smtpd_hard_error_limit", "${stress?{1}:{20}}", {
    min: 1,
    doc: "At this many errors the session ends with 421.",
  }),
  errorSleepTime: time("smtpd_error_sleep_time", "1s", {
    max: 600,
    doc: "How long a reply waits after smtpd_soft_error_limit errors.",
  }),
  timeout: time("smtpd_timeout", "${stress?{10}:{300}}s", {
    min: 1,
    doc: "How long a client may be silent, or may take to read a reply.",
  }),
  perRequestDeadline: bool("smtpd_per_request_deadline", "${stress?{yes}:{no}}" as "no", {
    doc: "Let smtpd_timeout run over a whole command instead of over each read.",
  }),
  minDataRate: int("smtpd_min_data_rate", "500", {
    min: 1,
    doc: "With a deadline per request: so many content bytes extend it by one second.",
  }),
  forbidUnauthPipelining: bool("smtpd_forbid_unauth_pipelining", "yes", {
    doc: "End the session of a client that sends commands before it may.",
  }),
  forbidBareNewline: choice(
    "smtpd_forbid_bare_newline",
    "normalize",
    ["normalize", "yes", "note", "reject", "no"],
    {
      doc: "Demand CRLF.CRLF as the end of data; what else happens to lines that end in LF alone.",
    },
  ),
  forbidBareNewlineExclusions: networks("smtpd_forbid_bare_newline_exclusions", "$mynetworks", {
    doc: "Clients for which smtpd_forbid_bare_newline is no.",
  }),
  forbidBareNewlineRejectCode: int("smtpd_forbid_bare_newline_reject_code", "550", {
    min: 400,
    max: 599,
    doc: "The code with which a bare LF is refused.",
  }),
  sessionLimit: int("smtpd_session_limit", "10000", {
    own: true,
    min: 1,
    doc: "The most sessions of one smtpd process; what is beyond hears 421.",
  }),
};

/** Who connects, and how often (reference 3.2, 7.5). */
const clients = {
  mynetworks: networks("mynetworks", "127.0.0.0/8 [::1]/128", {
    doc: "Clients that may relay: networks, addresses, cidr:/file and /file; !pattern excludes.",
  }),
  localHeaderRewriteClients: words(
    "local_header_rewrite_clients",
    "permit_inet_interfaces",
    ["permit_inet_interfaces", "permit_mynetworks", "permit_sasl_authenticated"],
    {
      optional: true,
      doc: "Clients whose headers are completed and rewritten as those of local mail.",
    },
  ),
  mynetworksStyle: choice("mynetworks_style", "host", ["host", "subnet", "class"], {
    doc: "How mynetworks is made when it is not set; only host is supported.",
  }),
  peernameLookup: bool("smtpd_peername_lookup", "yes", {
    doc: "Look up the names of clients; without, every client is unknown.",
  }),
  clientPortLogging: bool("smtpd_client_port_logging", "no", {
    doc: "Log the port of a client after its address.",
  }),
  connectionCountLimit: limit("smtpd_client_connection_count_limit", "50", {
    doc: "The most simultaneous connections of one client; 0 is no limit.",
  }),
  connectionRateLimit: limit("smtpd_client_connection_rate_limit", "0", {
    doc: "The most connections of one client in anvil_rate_time_unit; 0 is no limit.",
  }),
  messageRateLimit: limit("smtpd_client_message_rate_limit", "0", {
    doc: "The most messages of one client in anvil_rate_time_unit; 0 is no limit.",
  }),
  recipientRateLimit: limit("smtpd_client_recipient_rate_limit", "0", {
    doc: "The most recipients of one client in anvil_rate_time_unit; 0 is no limit.",
  }),
  newTlsSessionRateLimit: limit("smtpd_client_new_tls_session_rate_limit", "0", {
    doc: "The most TLS handshakes of one client in anvil_rate_time_unit; 0 is no limit.",
  }),
  eventLimitExceptions: networks("smtpd_client_event_limit_exceptions", "$mynetworks", {
    doc: "Clients whose connections and requests are not counted.",
  }),
  ipv4PrefixLength: int("smtpd_client_ipv4_prefix_length", "32", {
    max: 32,
    doc: "How many bits of an IPv4 address make one client.",
  }),
  ipv6PrefixLength: int("smtpd_client_ipv6_prefix_length", "84", {
    max: 128,
    doc: "How many bits of an IPv6 address make one client.",
  }),
};

const lists = {
  clientRestrictions: restrictions("smtpd_client_restrictions", "", {
    doc: "What is asked of a client when it connects.",
  }),
  heloRestrictions: restrictions("smtpd_helo_restrictions", "", {
    doc: "What is asked of a HELO or EHLO name.",
  }),
  senderRestrictions: restrictions("smtpd_sender_restrictions", "", {
    doc: "What is asked of a sender.",
  }),
  relayRestrictions: restrictions(
    "smtpd_relay_restrictions",
    "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
    { doc: "Who may send to other people's domains." },
  ),
  recipientRestrictions: restrictions("smtpd_recipient_restrictions", "", {
    doc: "What is asked of a recipient.",
  }),
  dataRestrictions: restrictions("smtpd_data_restrictions", "", {
    doc: "What is asked at DATA or the first BDAT.",
  }),
  endOfDataRestrictions: restrictions("smtpd_end_of_data_restrictions", "", {
    doc: "What is asked when the content has arrived.",
  }),
  etrnRestrictions: restrictions("smtpd_etrn_restrictions", "", {
    doc: "What is asked at ETRN.",
  }),
  relayBeforeRecipientRestrictions: bool("smtpd_relay_before_recipient_restrictions", "yes", {
    doc: "Ask smtpd_relay_restrictions before smtpd_recipient_restrictions.",
  }),
  delayReject: bool("smtpd_delay_reject", "yes", {
    doc: "Wait until RCPT with the restrictions of client, HELO and sender.",
  }),
  delayOpenUntilValidRcpt: bool("smtpd_delay_open_until_valid_rcpt", "yes", {
    doc: "Give a queue id at the first accepted recipient instead of at MAIL.",
  }),
  rejectUnlistedRecipient: bool("smtpd_reject_unlisted_recipient", "yes", {
    doc: "Refuse recipients that the list of their address class does not have.",
  }),
  showUserUnknownTableName: bool("show_user_unknown_table_name", "yes", {
    doc: "Name the kind of table in the reply to an unknown recipient.",
  }),
  unknownAddressTempfailAction: choice(
    "unknown_address_tempfail_action",
    "defer_if_permit",
    ["defer_if_permit", "defer"],
    { doc: "What reject_unknown_sender_domain and _recipient_domain do when DNS fails." },
  ),
};

function code(name: string, fallback: string, doc: string) {
  return int(name, fallback, { min: 400, max: 599, doc });
}

/** Reply codes (reference 3.4); the enhanced status code follows their first digit. */
const codes = {
  rejectCode: code("reject_code", "554", "The reply code of reject."),
  deferCode: code("defer_code", "450", "The reply code of defer."),
  relayDomainsRejectCode: code(
    "relay_domains_reject_code",
    "554",
    "The reply code of reject_unauth_destination.",
  ),
  nonFqdnRejectCode: code("non_fqdn_reject_code", "504", "The reply code of reject_non_fqdn_*."),
  invalidHostnameRejectCode: code(
    "invalid_hostname_reject_code",
    "501",
    "The reply code of reject_invalid_helo_hostname.",
  ),
  unknownAddressRejectCode: code(
    "unknown_address_reject_code",
    "450",
    "The reply code of reject_unknown_sender_domain and reject_unknown_recipient_domain.",
  ),
  unknownLocalRecipientRejectCode: code(
    "unknown_local_recipient_reject_code",
    "550",
    "The reply code for an unknown recipient of the local class.",
  ),
  unknownVirtualMailboxRejectCode: code(
    "unknown_virtual_mailbox_reject_code",
    "550",
    "The reply code for an unknown recipient of the virtual mailbox class.",
  ),
  unknownVirtualAliasRejectCode: code(
    "unknown_virtual_alias_reject_code",
    "550",
    "The reply code for an unknown recipient of the virtual alias class.",
  ),
  unknownRelayRecipientRejectCode: code(
    "unknown_relay_recipient_reject_code",
    "550",
    "The reply code for an unknown recipient of the relay class.",
  ),
};

/** TLS as a server; the supervisor reads certificate and key (reference 8.3). */
const tls = {
  tlsSecurityLevel: choice("smtpd_tls_security_level", "", ["", "none", "may", "encrypt"], {
    doc: "none, may offers STARTTLS, encrypt demands it.",
  }),
  tlsWrappermode: bool("smtpd_tls_wrappermode", "no", {
    doc: "Speak TLS from the first byte, as on port 465.",
  }),
  tlsReceivedHeader: bool("smtpd_tls_received_header", "no", {
    doc: "Write protocol and cipher into the Received header.",
  }),
  tlsLoglevel: int("smtpd_tls_loglevel", "0", {
    max: 4,
    doc: "1 logs a line for each TLS handshake.",
  }),
  starttlsTimeout: time("smtpd_starttls_timeout", "${stress?{10}:{300}}s", {
    min: 1,
    doc: "How long a TLS handshake may take.",
  }),
};

/** Everything that smtpd reads. */
export const smtpdParameters = {
  myhostname: identity.myhostname,
  mailName: identity.mailName,
  messageSizeLimit: sizes.messageSizeLimit,
  inetInterfaces: addressing.inetInterfaces,
  smtputf8Enable: addressing.smtputf8Enable,
  resolveNumericDomain: addressing.resolveNumericDomain,
  resolveNullDomain: addressing.resolveNullDomain,
  allowMinUser: addressing.allowMinUser,
  ...session,
  ...clients,
  ...lists,
  ...codes,
  ...tls,
};
