/**
 * Parameters of the smtp role. Each has two names, smtp_... and lmtp_..., because the transports that speak LMTP have
 * settings of their own; a process reads one of the two sets.
 */

import {
  bool,
  choice,
  int,
  limit,
  list,
  type Parameter,
  type Parameters,
  text,
  time,
  type Values,
} from "./declare.ts";
import { addressing, backoff, identity, network, queue, relaying } from "./global.ts";
import { nexthopList, ports, words } from "./parsers.ts";

export type Protocol = "smtp" | "lmtp";

/** What may differ between the two protocols. */
const DEFAULTS = {
  smtp: {
    tcpPort: "smtp",
    helo: "helo",
    ehlo: "ehlo",
    connectTimeout: "30s",
    skipQuit: "yes",
    fallbackRelay: "$fallback_relay",
    tlsLevel: "${{$compatibility_level} <level {3.11} ? {} : {may}}",
  },
  lmtp: {
    tcpPort: "24",
    helo: "lhlo",
    ehlo: "lhlo",
    connectTimeout: "0s",
    skipQuit: "no",
    fallbackRelay: "",
    tlsLevel: "",
  },
} as const;

/** Where mail goes: lookups and the limits of the list of servers. */
function routing(p: Protocol) {
  const defaults = DEFAULTS[p];
  return {
    tcpPort: text(`${p}_tcp_port`, defaults.tcpPort, {
      doc: "The port, or its name, where a destination names none.",
    }),
    fallbackRelay: nexthopList(`${p}_fallback_relay`, defaults.fallbackRelay, {
      doc:
        "Relays to try when a destination is not found or cannot be reached, unless we are one of its exchangers.",
    }),
    hostLookup: words(`${p}_host_lookup`, "dns", ["dns", "native"], {
      doc: "dns or native; both ask the dns role, which reads the hosts file first.",
    }),
    randomizeAddresses: bool(`${p}_randomize_addresses`, "yes", {
      doc: "Shuffle servers of equal preference.",
    }),
    addressPreference: choice(`${p}_address_preference`, "any", ["any", "ipv4", "ipv6"], {
      doc: "The IP version to try first among servers of equal preference.",
    }),
    balanceInetProtocols: bool(`${p}_balance_inet_protocols`, "yes", {
      doc: "Keep an address of each IP version within the limit on addresses.",
    }),
    mxAddressLimit: limit(`${p}_mx_address_limit`, "5", {
      doc: "Addresses of a destination that are tried at most; 0 is no limit.",
    }),
    mxSessionLimit: limit(`${p}_mx_session_limit`, "2", {
      doc: "Sessions of a delivery that got past the handshake at most; 0 is no limit.",
    }),
    deferIfNoMxAddressFound: bool(`${p}_defer_if_no_mx_address_found`, "no", {
      doc: "Defer, not bounce, when no server of a domain has an address.",
    }),
  };
}

/** How a session is led. */
function session(p: Protocol) {
  const defaults = DEFAULTS[p];
  return {
    heloName: text(`${p}_${defaults.helo}_name`, "$myhostname", {
      doc: "The name that is given in the handshake.",
    }),
    discardEhloKeywords: list(`${p}_discard_${defaults.ehlo}_keywords`, "", {
      doc: "Features of a server that are ignored.",
    }),
    skip5xxGreeting: bool(`${p}_skip_5xx_greeting`, "yes", {
      doc: "Try the next server when one greets with 5xx, and defer after the last.",
    }),
    skipQuitResponse: bool(`${p}_skip_quit_response`, defaults.skipQuit, {
      doc: "Do not wait for the reply to QUIT.",
    }),
    lineLengthLimit: int(`${p}_line_length_limit`, "998", {
      doc: "Longer lines are broken by a line end and a space; 0 never breaks.",
    }),
    cacheOnDemand: bool(`${p}_connection_cache_on_demand`, "yes", {
      doc: "Keep a session open while more mail for its destination is likely.",
    }),
    cacheTimeLimit: time(`${p}_connection_cache_time_limit`, "2s", {
      doc: "How long an unused session is kept.",
    }),
    reuseTimeLimit: time(`${p}_connection_reuse_time_limit`, "300s", {
      doc: "How long a session is used again, from its start.",
    }),
    reuseCountLimit: limit(`${p}_connection_reuse_count_limit`, "0", {
      doc: "How often a session is used; 0 is no limit.",
    }),
    tlsSecurityLevel: tlsLevel(`${p}_tls_security_level`, defaults.tlsLevel),
    tlsLoglevel: int(`${p}_tls_loglevel`, "0", {
      max: 4,
      doc: "From 1 on, each TLS session is logged.",
    }),
    tlsConnectionReuse: bool(`${p}_tls_connection_reuse`, "no", {
      doc: "Keep sessions with TLS open as well.",
    }),
  };
}

/** none, may and encrypt; empty is none. The levels that authenticate the server come with TLS policies. */
function tlsLevel(name: string, fallback: string): Parameter<"" | "none" | "may" | "encrypt"> {
  const declared = choice(name, "", ["", "none", "may", "encrypt"], {
    doc: "none, may (use TLS where it is offered) or encrypt (never without).",
  });
  return { ...declared, fallback };
}

/** How long each step may take; 0 is as long as the system allows. */
function timeouts(p: Protocol) {
  const defaults = DEFAULTS[p];
  const wait = (step: string, fallback: string, what: string) =>
    time(`${p}_${step}_timeout`, fallback, { doc: `How long to wait for ${what}.` });
  return {
    connectTimeout: wait("connect", defaults.connectTimeout, "a connection"),
    heloTimeout: wait(defaults.helo, "300s", "the greeting, and for the reply to the handshake"),
    starttlsTimeout: wait("starttls", "300s", "the reply to STARTTLS and the TLS handshake"),
    mailTimeout: wait("mail", "300s", "the reply to MAIL"),
    rcptTimeout: wait("rcpt", "300s", "the reply to RCPT"),
    dataInitTimeout: wait("data_init", "120s", "the reply to DATA"),
    dataXferTimeout: wait("data_xfer", "180s", "the server to take a part of the content"),
    dataDoneTimeout: wait("data_done", "600s", "the reply to the end of data"),
    rsetTimeout: wait("rset", "20s", "the reply to RSET"),
    quitTimeout: wait("quit", "300s", "the reply to QUIT"),
  };
}

function both(p: Protocol) {
  return { ...routing(p), ...session(p), ...timeouts(p) };
}

type Both = ReturnType<typeof both>;
type Renamed<P extends Parameters, W extends string> = {
  [K in keyof P & string as `${W}${Capitalize<K>}`]: P[K];
};

function renamed<P extends Parameters, W extends string>(declared: P, word: W): Renamed<P, W> {
  return Object.fromEntries(
    Object.entries(declared).map((
      [key, value],
    ) => [word + key[0]!.toUpperCase() + key.slice(1), value]),
  ) as Renamed<P, W>;
}

/** What has one name for both protocols, or is for SMTP alone. */
const smtpOnly = {
  fallbackRelayOld: text("fallback_relay", "", { doc: "The old name of smtp_fallback_relay." }),
  alwaysSendEhlo: bool("smtp_always_send_ehlo", "yes", {
    doc: "Send EHLO even when the greeting does not say ESMTP.",
  }),
  neverSendEhlo: bool("smtp_never_send_ehlo", "no", { doc: "Send HELO only." }),
  disableDnsLookups: bool("disable_dns_lookups", "no", {
    doc: "Never look for MX records: each destination is a host.",
  }),
  ignoreMxLookupError: bool("ignore_mx_lookup_error", "no", {
    doc: "Try the domain itself when its MX records cannot be looked up now.",
  }),
  disableMimeOutputConversion: bool("disable_mime_output_conversion", "no", {
    doc: "Send 8-bit content as it is to servers that do not offer 8BITMIME, too.",
  }),
  mimeNestingLimit: int("mime_nesting_limit", "100", {
    min: 1,
    doc: "How deep multiparts and messages inside each other are looked into for conversion.",
  }),
  mimeBoundaryLengthLimit: int("mime_boundary_length_limit", "2048", {
    min: 1,
    max: 65_536,
    doc: "How many bytes of a MIME boundary count.",
  }),
  lmtpAssumeFinal: bool("lmtp_assume_final", "no", {
    doc:
      "An LMTP server without DSN delivers to mailboxes itself: success is reported as delivered, not as relayed.",
  }),
  allowedPorts: ports("smtp_allowed_ports", "25 465 587 24", {
    own: true,
    doc: "The TCP ports that mail may be delivered to, beside those that routes name.",
  }),
  hostAddresses: list("host_addresses", "", {
    own: true,
    doc: "The addresses of this host's interfaces, which are ours where inet_interfaces is all.",
  }),
};

export const smtpParameters = {
  ...identity,
  ...network,
  ...relaying,
  ...backoff,
  ...queue,
  inetInterfaces: addressing.inetInterfaces,
  ...smtpOnly,
  ...renamed(both("smtp"), "smtp"),
  ...renamed(both("lmtp"), "lmtp"),
};

/** The settings of one process: one of the two sets under common names, and what both share. */
export type SmtpSettings =
  & Values<Both & typeof smtpOnly & typeof identity & typeof network>
  & Values<typeof relaying & typeof backoff & typeof queue>
  & { readonly inetInterfaces: readonly string[]; readonly protocol: Protocol };

/** Picks the set that `protocol` reads. */
export function smtpSettings(
  params: Values<typeof smtpParameters>,
  protocol: Protocol,
): SmtpSettings {
  const values = params as Record<string, unknown>;
  const picked = Object.keys(both(protocol)).map((key) => [
    key,
    values[protocol + key[0]!.toUpperCase() + key.slice(1)],
  ]);
  return { ...params, ...Object.fromEntries(picked), protocol } as SmtpSettings;
}
