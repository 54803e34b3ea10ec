/** The tools that read Postfix's log find ours (reference 9.7). */

import { assertMatch } from "@std/assert";
import * as lines from "./lines.ts";
import { AT, CLIENT, DELIVERY, ID, logged, RELAY_DENIED } from "./test_lines.ts";

/** Patterns of the tools that read Postfix's log (reference 9.7), and the lines that they must match. */
const CONSUMERS: [string, RegExp, () => void][] = [
  [
    "fail2ban: a reject",
    /^(?:\w+: )?(?:milter-)?reject: \S+ from [^[]*\[[^\]]+\](?::\d+)?: [45][50][04] [45]\.\d\.\d+ (?:(?:<[^>]*>)?: )?(?:(?:Helo command|(?:Sender|Recipient) address) rejected: )?(?:Service unavailable|Access denied|(?:Client host|Command|Data command) rejected|Relay access denied)/,
    () => lines.rejected("reject", "RCPT", RELAY_DENIED, AT),
  ],
  [
    "fail2ban: too many errors",
    /(?:improper command pipelining|too many errors) after \S+ from [^[]*\[192\.0\.2\.1\]/,
    () => lines.ended("too many errors", "AUTH", CLIENT),
  ],
  [
    "fail2ban: failed logins at disconnect",
    /^disconnect from [^[]*\[[^\]]+\](?::\d+)?.* auth=0\/\d+/,
    () => lines.disconnected(CLIENT, new Map([["auth", { ok: 0, all: 3 }]])),
  ],
  [
    "postfix_exporter: delays",
    /, relay=(\S+), .*, delays=([0-9.]+)\/([0-9.]+)\/([0-9.]+)\/([0-9.]+), /,
    () => lines.delivered(DELIVERY),
  ],
  ["postfix_exporter: status", /, status=(\w+) /, () => lines.delivered(DELIVERY)],
  ["postfix_exporter: dsn", /, dsn=(\d\.\d+\.\d+)/, () => lines.delivered(DELIVERY)],
  [
    "postfix_exporter: size",
    /:.*, size=(\d+), nrcpt=(\d+) /,
    () => lines.active(ID, "a@b", 10, 1),
  ],
  [
    "postfix_exporter: expired",
    /status=(expired|force-expired), returned to sender/,
    () => lines.expired(ID, "a@b"),
  ],
  [
    "postfix_exporter: TLS",
    /^(\S+) TLS connection established (to|from) \S+: (\S+) with cipher (\S+) \((\d+)\/(\d+) bits\)/,
    () =>
      lines.tlsEstablished("Verified", "to mx.example.com[192.0.2.25]:25", {
        protocol: "TLSv1.2",
        cipher: "X",
        usedBits: 128,
        algorithmBits: 256,
      }),
  ],
  [
    "postfix_exporter: rejects",
    /^NOQUEUE: reject: RCPT from \S+: ([0-9]+) /,
    () => lines.rejected("reject", "RCPT", RELAY_DENIED, AT),
  ],
  [
    "postfix_exporter: lost connection",
    /^(?:NOQUEUE: )?lost connection after (\w+) from /,
    () => lines.ended("lost connection", "CONNECT", CLIENT),
  ],
  [
    "postfix_exporter: notifications",
    /: sender non-delivery notification: /,
    () => lines.notified(ID, lines.notification("sender", "failure"), ID),
  ],
  [
    "pflogsumm: queue id and sender",
    /^[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{10,}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]+: from=<([^>]*)>, size=(\d+), nrcpt=(\d+)/,
    () => lines.active(ID, "a@b", 10, 1),
  ],
];

for (const [what, pattern, act] of CONSUMERS) {
  Deno.test(`${what} is found in our line`, () => assertMatch(logged(act), pattern));
}
