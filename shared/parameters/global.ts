/** Parameters that several roles read. */

import { bool, choice, domains, limit, list, maps, someText, text, time } from "./declare.ts";
import { hostname, interfaces, nexthops, path, words } from "./parsers.ts";

/** Who we are: every role that speaks or writes for us needs it. */
export const identity = {
  myhostname: hostname("myhostname", "$system_hostname", {
    doc: "The internet hostname of this mail system.",
  }),
  mydomain: hostname("mydomain", "$system_domain", {
    doc: "The internet domain of this mail system.",
  }),
  myorigin: hostname("myorigin", "$myhostname", {
    doc: "The domain that is added to addresses without one, or a file whose first line it is.",
  }),
  mailName: someText("mail_name", "Postern", {
    doc: "The name in the greeting, in Received and in bounces.",
  }),
  mailVersion: text("mail_version", "$postern_version", {
    doc: "The version that macros and templates may name.",
  }),
};

/** Where the system keeps mail and sockets. */
export const queue = {
  queueDirectory: path("queue_directory", "/var/spool/postfix", {
    doc: "The directory of the queue, the maildrop and the sockets; on a local file system.",
  }),
};

/** How large a message may be. */
export const sizes = {
  messageSizeLimit: limit("message_size_limit", "10240000", {
    doc: "The largest message, in bytes; 0 is no limit.",
  }),
};

/** How log lines are made; every role has these. */
export const logging = {
  syslogName: someText("syslog_name", "postfix", {
    doc: "The word before the slash in each log line's process name.",
  }),
  maillogFile: path("maillog_file", "", {
    optional: true,
    doc: "The file that postlogd writes; empty logs to syslog or to standard error.",
  }),
  maillogFilePrefixes: list("maillog_file_prefixes", "/var, /dev/stdout", {
    doc: "The directories and files that maillog_file may be in, or be: it is given to mail_owner.",
  }),
  syslogSocket: path("syslog_socket", "", {
    optional: true,
    own: true,
    doc:
      "A syslog socket, not in /dev, such as /run/systemd/journal/dev-log: postlogd writes to it when maillog_file is empty.",
  }),
  logFormat: choice("maillog_format", "text", ["text", "json"], {
    own: true,
    doc: "text for Postfix's lines, json for one JSON object a line.",
  }),
};

/** Addresses that are ours, and the delimiter of their extensions. */
export const addressing = {
  recipientDelimiter: text("recipient_delimiter", "", {
    doc: "The characters that may separate a user name from an extension.",
  }),
  mydestination: domains("mydestination", "$myhostname, localhost.$mydomain, localhost", {
    doc: "The domains of the local class.",
  }),
  inetInterfaces: interfaces("inet_interfaces", "all", {
    doc: "The addresses on which mail is received: all, loopback-only, or a list.",
  }),
  virtualAliasMaps: maps("virtual_alias_maps", "$virtual_maps", {
    doc: "Tables from an address to other addresses, local or remote.",
  }),
  smtputf8Enable: bool("smtputf8_enable", "yes", {
    doc: "Offer and use SMTPUTF8 (RFC 6531).",
  }),
  resolveNumericDomain: bool("resolve_numeric_domain", "no", {
    doc: "Read user@1.2.3.4 as user@[1.2.3.4], instead of refusing it.",
  }),
  resolveNullDomain: bool("resolve_null_domain", "no", {
    doc: "Read user@ as user, instead of refusing it.",
  }),
  allowMinUser: bool("allow_min_user", "no", {
    doc: "Allow an address that begins with -, which a careless program takes for an option.",
  }),
};

/** Which IP versions, and which addresses in front of us are ours. */
export const network = {
  inetProtocols: words("inet_protocols", "all", ["all", "ipv4", "ipv6"], {
    doc: "The IP versions to use: all, ipv4, ipv6, or ipv4, ipv6.",
  }),
  proxyInterfaces: list("proxy_interfaces", "", {
    doc: "Addresses of a proxy or a NAT on which we receive mail.",
  }),
};

/** The next hop of mail for elsewhere: rewrite routes by it, smtp never bounces because it is wrong. */
export const relaying = {
  relayhost: nexthops("relayhost", "", {
    doc: "The next hop of mail for other domains; empty delivers directly.",
  }),
};

/** The first retry: qmgr waits it, and smtp gives up on TLS only after it. */
export const backoff = {
  minimalBackoffTime: time("minimal_backoff_time", "300s", {
    min: 1,
    doc: "Wait at least this long between two delivery attempts.",
  }),
};
