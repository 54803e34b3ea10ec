/** Parameters of rewrite: the standard form of addresses, their classes, and where each class goes. */

import { cleanupParameters } from "./cleanup.ts";
import { bool, domains, list, maps, text } from "./declare.ts";
import { addressing, identity, network, relaying } from "./global.ts";
import { transport } from "./parsers.ts";
import { qmgrParameters } from "./qmgr.ts";
import { smtpParameters } from "./smtp.ts";
import { smtpdParameters } from "./smtpd.ts";

/** How an address becomes its standard form (reference 5.3). */
const form = {
  appendAtMyorigin: bool("append_at_myorigin", "yes", {
    doc: "Add @$myorigin to an address without a domain.",
  }),
  appendDotMydomain: bool("append_dot_mydomain", "no", {
    doc: "Add .$mydomain to a domain without a dot.",
  }),
  swapBangpath: bool("swap_bangpath", "yes", {
    doc: "Read site!user as user@site.",
  }),
  allowPercentHack: bool("allow_percent_hack", "yes", {
    doc: "Read user%domain as user@domain.",
  }),
  remoteHeaderRewriteDomain: cleanupParameters.remoteHeaderRewriteDomain,
  emptyAddressRecipient: cleanupParameters.emptyAddressRecipient,
  resolveDequotedAddress: bool("resolve_dequoted_address", "yes", {
    doc: "Look for @, % and ! inside quotes, too: no relaying by a quoted address.",
  }),
  ownerRequestSpecial: bool("owner_request_special", "yes", {
    doc: "Take owner-list and list-request for whole names when - is a delimiter.",
  }),
  propagateUnmatchedExtensions: list("propagate_unmatched_extensions", "canonical, virtual", {
    doc: "Which kinds of table copy an extension that they do not have to their result.",
  }),
};

/** Which domains are of which class, and who is there (reference 5.1). */
const classes = {
  virtualAliasDomains: domains("virtual_alias_domains", "$virtual_alias_maps", {
    doc: "The domains of the virtual alias class: every address in them is an alias.",
  }),
  virtualMailboxDomains: domains("virtual_mailbox_domains", "$virtual_mailbox_maps", {
    doc: "The domains of the virtual mailbox class.",
  }),
  relayDomains: domains("relay_domains", "", {
    doc: "The domains of the relay class: mail for them is taken from anybody.",
  }),
  parentDomainMatchesSubdomains: list(
    "parent_domain_matches_subdomains",
    "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks," +
      "qmqpd_authorized_clients,relay_domains,smtpd_access_maps",
    { doc: "The features in which example.com also matches the domains below it." },
  ),
  aliasMaps: maps("alias_maps", "hash:/etc/aliases", {
    doc: "Tables of local aliases, in the format of aliases(5).",
  }),
  localRecipientMaps: maps("local_recipient_maps", "proxy:unix:passwd.byname $alias_maps", {
    doc: "Tables with all users of the local class; empty accepts every name.",
  }),
  virtualMailboxMaps: maps("virtual_mailbox_maps", "", {
    fixedResults: true,
    doc: "Tables from an address to its mailbox below virtual_mailbox_base.",
  }),
  virtualUidMaps: maps("virtual_uid_maps", "", {
    fixedResults: true,
    doc: "Tables from an address to the numeric user that owns its mailbox.",
  }),
  virtualGidMaps: maps("virtual_gid_maps", "", {
    fixedResults: true,
    doc: "Tables from an address to the numeric group that owns its mailbox.",
  }),
  relayRecipientMaps: maps("relay_recipient_maps", "", {
    doc: "Tables with all addresses of the relay class; empty accepts every address.",
  }),
};

/** Where each class goes (reference 5.2). */
const routes = {
  localTransport: transport("local_transport", "local:$myhostname", {
    doc: "The transport, and with it the next hop, of the local class.",
  }),
  virtualTransport: transport("virtual_transport", "virtual", {
    doc: "The transport of the virtual mailbox class.",
  }),
  relayTransport: transport("relay_transport", "relay", {
    doc: "The transport of the relay class.",
  }),
  defaultTransport: transport("default_transport", "smtp", {
    doc: "The transport of all other domains.",
  }),
  transportMaps: maps("transport_maps", "", {
    fixedResults: true,
    doc: "Tables from an address or domain to transport:nexthop.",
  }),
  senderDependentDefaultTransportMaps: maps("sender_dependent_default_transport_maps", "", {
    fixedResults: true,
    doc: "Tables from a sender or @domain to what stands in for default_transport.",
  }),
  emptyAddressDefaultTransportMapsLookupKey: text(
    "empty_address_default_transport_maps_lookup_key",
    "<>",
    { doc: "What the null sender is in sender_dependent_default_transport_maps." },
  ),
  senderDependentRelayhostMaps: maps("sender_dependent_relayhost_maps", "", {
    fixedResults: true,
    doc: "Tables from a sender or @domain to what stands in for relayhost.",
  }),
  emptyAddressRelayhostMapsLookupKey: text("empty_address_relayhost_maps_lookup_key", "<>", {
    doc: "What the null sender is in sender_dependent_relayhost_maps.",
  }),
  relocatedMaps: maps("relocated_maps", "", {
    doc: "Tables from an address to where its owner has moved.",
  }),
  relocatedPrefixEnable: bool("relocated_prefix_enable", "yes", {
    doc: 'Write "5.1.6 User has moved to" before what relocated_maps has.',
  }),
};

export const rewriteParameters = {
  ...identity,
  ...addressing,
  ...relaying,
  proxyInterfaces: network.proxyInterfaces,
  hostAddresses: smtpParameters.hostAddresses,
  doubleBounceSender: qmgrParameters.doubleBounceSender,
  showUserUnknownTableName: smtpdParameters.showUserUnknownTableName,
  ...form,
  ...classes,
  ...routes,
};
