import { assertEquals, assertMatch } from "@std/assert";
import * as lines from "./lines.ts";
import { info, setSink, warning } from "./log.ts";
import { AT, CLIENT, DELIVERY, ID, logged, RELAY_DENIED } from "./test_lines.ts";

/** Every line, and what it is to the letter (reference 9). */
const GOLDEN: [string, () => void, string][] = [
  ["connect", () => lines.connected(CLIENT), "connect from host.example.com[192.0.2.1]"],
  [
    "connect of a client without name",
    () => lines.connected({ name: "", address: "2001:db8::1" }),
    "connect from unknown[2001:db8::1]",
  ],
  [
    "connect with the port",
    () => lines.connected({ ...CLIENT, port: 4711 }),
    "connect from host.example.com[192.0.2.1]:4711",
  ],
  [
    "disconnect",
    () =>
      lines.disconnected(
        CLIENT,
        new Map([
          ["ehlo", { ok: 1, all: 1 }],
          ["mail", { ok: 1, all: 1 }],
          ["rcpt", { ok: 0, all: 1 }],
          ["data", { ok: 0, all: 1 }],
          ["quit", { ok: 1, all: 1 }],
        ]),
      ),
    "disconnect from host.example.com[192.0.2.1] ehlo=1 mail=1 rcpt=0/1 data=0/1 quit=1 commands=3/5",
  ],
  [
    "disconnect with notes",
    () => lines.disconnected(CLIENT, new Map([["quit", { ok: 1, all: 1 }]]), "bare_lf"),
    "disconnect from host.example.com[192.0.2.1] quit=1 commands=1 notes=bare_lf",
  ],
  [
    "disconnect without a command",
    () => lines.disconnected(CLIENT, new Map()),
    "disconnect from host.example.com[192.0.2.1] commands=0/0",
  ],
  ["client", () => lines.received(ID, CLIENT), `${ID}: client=host.example.com[192.0.2.1]`],
  [
    "reject",
    () => lines.rejected("reject", "RCPT", RELAY_DENIED, AT),
    "NOQUEUE: reject: RCPT from host.example.com[192.0.2.1]: 554 5.7.1 <to@example.org>: " +
    "Relay access denied; from=<from@example.com> to=<to@example.org> proto=ESMTP " +
    "helo=<host.example.com>",
  ],
  [
    "reject at CONNECT",
    () => lines.rejected("reject", "CONNECT", "554 5.7.1 No", { client: CLIENT, protocol: "SMTP" }),
    "NOQUEUE: reject: CONNECT from host.example.com[192.0.2.1]: 554 5.7.1 No; proto=SMTP",
  ],
  [
    "reject_warning with a queue id and the null sender",
    () =>
      lines.rejected("reject_warning", "RCPT", RELAY_DENIED, { ...AT, queueId: ID, sender: "" }),
    `${ID}: reject_warning: RCPT from host.example.com[192.0.2.1]: 554 5.7.1 <to@example.org>: ` +
    "Relay access denied; from=<> to=<to@example.org> proto=ESMTP helo=<host.example.com>",
  ],
  [
    "lost connection",
    () => lines.ended("lost connection", "DATA", CLIENT, { bytes: 123 }),
    "NOQUEUE: lost connection after DATA (123 bytes) from host.example.com[192.0.2.1]",
  ],
  [
    "timeout",
    () => lines.ended("timeout", "RCPT", CLIENT, { queueId: ID }),
    `${ID}: timeout after RCPT from host.example.com[192.0.2.1]`,
  ],
  [
    "improper command pipelining",
    () =>
      lines.ended("improper command pipelining", "EHLO", CLIENT, { text: "MAIL FROM:<>\\r\\n" }),
    "NOQUEUE: improper command pipelining after EHLO from host.example.com[192.0.2.1]: " +
    "MAIL FROM:<>\\r\\n",
  ],
  [
    "non-SMTP command",
    () => lines.notSmtp(CLIENT, "GET / HTTP/1.1"),
    "warning: non-SMTP command from host.example.com[192.0.2.1]: GET / HTTP/1.1",
  ],
  [
    "TLS from a client",
    () =>
      lines.tlsEstablished("Anonymous", "from host.example.com[192.0.2.1]", {
        protocol: "TLSv1.3",
        cipher: "TLS_AES_256_GCM_SHA384",
        usedBits: 256,
        algorithmBits: 256,
      }),
    "Anonymous TLS connection established from host.example.com[192.0.2.1]: TLSv1.3 with cipher " +
    "TLS_AES_256_GCM_SHA384 (256/256 bits)",
  ],
  [
    "TLS from a client that went away",
    () => lines.tlsFailed(CLIENT, lines.TLS_LOST),
    "SSL_accept error from host.example.com[192.0.2.1]: lost connection",
  ],
  [
    "TLS from a client that is silent",
    () => lines.tlsFailed(CLIENT, lines.TLS_TIMEOUT),
    "SSL_accept error from host.example.com[192.0.2.1]: Connection timed out",
  ],
  ["message-id", () => lines.messageId(ID, "<x@y>"), `${ID}: message-id=<x@y>`],
  ["no message-id", () => lines.messageId(ID, ""), `${ID}: message-id=<>`],
  [
    "resent-message-id",
    () => lines.messageId(ID, "<x@y>", true),
    `${ID}: resent-message-id=<x@y>`,
  ],
  ["pickup", () => lines.pickedUp(ID, 1000, "me"), `${ID}: uid=1000 from=<me>`],
  [
    "queue active",
    () => lines.active(ID, "a b@example.com", 1234, 2),
    `${ID}: from=<"a b"@example.com>, size=1234, nrcpt=2 (queue active)`,
  ],
  ["removed", () => lines.removed(ID), `${ID}: removed`],
  [
    "expired",
    () => lines.expired(ID, "a@example.com"),
    `${ID}: from=<a@example.com>, status=expired, returned to sender`,
  ],
  [
    "start",
    () => lines.inForce("daemon started", "0.1.0", "/etc/postern"),
    "daemon started -- version 0.1.0, configuration /etc/postern",
  ],
  [
    "reload",
    () => lines.inForce("reload", "0.1.0", "/etc/postern"),
    "reload -- version 0.1.0, configuration /etc/postern",
  ],
  [
    "force-expired",
    () => lines.expired(ID, "", true),
    `${ID}: from=<>, status=force-expired, returned to sender`,
  ],
  [
    "sent",
    () => lines.delivered(DELIVERY),
    `${ID}: to=<user@example.com>, relay=mx.example.com[192.0.2.25]:25, delay=0.57, ` +
    "delays=0.12/0.01/0.34/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4XyZ)",
  ],
  [
    "sent on a used connection, to an alias",
    () => lines.delivered({ ...DELIVERY, original: "alias@example.com", connectionUse: 2 }),
    `${ID}: to=<user@example.com>, orig_to=<alias@example.com>, ` +
    "relay=mx.example.com[192.0.2.25]:25, conn_use=2, delay=0.57, delays=0.12/0.01/0.34/0.1, " +
    "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4XyZ)",
  ],
  [
    "deferred",
    () =>
      lines.delivered({
        ...DELIVERY,
        relay: "none",
        connectionUse: 1,
        delays: [100, 2000, 117_900, 0],
        dsn: "4.4.1",
        status: "deferred",
        text: "connect to mx.example.com[192.0.2.25]:25: Connection timed out",
      }),
    `${ID}: to=<user@example.com>, relay=none, delay=120, delays=0.1/2/118/0, dsn=4.4.1, ` +
    "status=deferred (connect to mx.example.com[192.0.2.25]:25: Connection timed out)",
  ],
  [
    "sender non-delivery notification",
    () => lines.notified(ID, lines.notification("sender", "failure"), "4jWb1k3HdCzJDMX"),
    `${ID}: sender non-delivery notification: 4jWb1k3HdCzJDMX`,
  ],
  [
    "sender delay notification",
    () => lines.notified(ID, lines.notification("sender", "delay"), "4jWb1k3HdCzJDMX"),
    `${ID}: sender delay notification: 4jWb1k3HdCzJDMX`,
  ],
  [
    "postmaster delivery status notification",
    () => lines.notified(ID, lines.notification("postmaster", "success"), "4jWb1k3HdCzJDMX"),
    `${ID}: postmaster delivery status notification: 4jWb1k3HdCzJDMX`,
  ],
];

for (const [what, act, line] of GOLDEN) {
  Deno.test(`the line for ${what} is Postfix's`, () => assertEquals(logged(act), line));
}

/** Delays as Postfix rounds them: two significant digits above a resolution of 10 ms. */
const DELAYS: [number, string][] = [
  [0, "0"],
  [-5, "0"],
  [4, "0"],
  [5, "0.01"],
  [6, "0.01"],
  [10, "0.01"],
  [14, "0.01"],
  [94, "0.09"],
  [96, "0.1"],
  [100, "0.1"],
  [123, "0.12"],
  [570, "0.57"],
  [994, "0.99"],
  [996, "1"],
  [1000, "1"],
  [2340, "2.3"],
  [9940, "9.9"],
  [9960, "10"],
  [12_400, "12"],
  [119_600, "120"],
  [120_000, "120"],
  [432_000_000, "432000"],
];

for (const [milliseconds, text] of DELAYS) {
  Deno.test(`a delay of ${milliseconds} ms is ${text}`, () => {
    assertEquals(lines.seconds(milliseconds), text);
  });
}

/** Text of strangers that must not become a line of its own, or hide what stands there. */
const HOSTILE = [
  "x\n4jWb0l1srxzJDLc: removed",
  "x\r\nNov 21 00:00:00 host postfix/smtpd[1]: fake",
  "x\u0000y",
  "x\u001b[2J",
  "x\u0085y",
  "x\u2028y",
  "x\u202egnp.exe",
  "x\ud800y",
  "x\ufeffy",
];

for (const text of HOSTILE) {
  Deno.test(`${JSON.stringify(text)} stays within its line`, () => {
    const acts = [
      () => lines.rejected("reject", "RCPT", text, { ...AT, helo: text, sender: text }),
      () => lines.delivered({ ...DELIVERY, recipient: text, original: "y", text }),
      () => lines.messageId(ID, text),
      () => lines.notSmtp({ name: text, address: text }, text),
      () => info(text),
      () => warning(text),
    ];
    for (const act of acts) {
      const line = logged(act);
      assertMatch(line, /x\?/);
      // deno-lint-ignore no-control-regex
      assertEquals(/[\u0000-\u001f\u007f-\u009f\u2028\u202e\ufeff\ud800]/.test(line), false);
    }
  });
}

Deno.test("what a domain or a host name seems to end stays within its brackets", () => {
  const forged = "b>, size=1, nrcpt=1 (queue active)";
  const sender = `a@${forged}`, shown = "a@b???size=1??nrcpt=1?(queue?active)";
  assertEquals(logged(() => lines.pickedUp(ID, 1000, sender)), `${ID}: uid=1000 from=<${shown}>`);
  assertEquals(
    logged(() => lines.expired(ID, sender)),
    `${ID}: from=<${shown}>, status=expired, returned to sender`,
  );
  assertMatch(
    logged(() => lines.delivered({ ...DELIVERY, recipient: sender, original: "y" })),
    /: to=<a@b\?\?\?size=1\?\?nrcpt=1\?\(queue\?active\)>, orig_to=<y>, relay=/,
  );
  assertMatch(
    logged(() => lines.rejected("reject", "RCPT", RELAY_DENIED, { ...AT, helo: "x> y=<z" })),
    /helo=<x\?\?y=\?z>$/,
  );
});

Deno.test("what qmgr delivers itself is said in the name of the agent that Postfix has for it", () => {
  const programs: (string | undefined)[] = [];
  setSink((_severity, _text, _fields, program) => void programs.push(program));
  for (const agent of ["error", "discard", undefined] as const) {
    lines.delivered({ ...DELIVERY, agent });
  }
  lines.removed(ID);
  assertEquals(programs, ["error", "discard", undefined, undefined]);
});

Deno.test("what a TLS library says of a handshake is a warning of its own", () => {
  const log: string[] = [];
  setSink((severity, text) => void log.push(`${severity}: ${text}`));
  lines.tlsFailed(CLIENT, "wrong version number");
  assertEquals(log, [
    "info: SSL_accept error from host.example.com[192.0.2.1]: -1",
    "warning: TLS library problem: wrong version number",
  ]);
});

Deno.test("a quoted local part is printed as it is", () => {
  assertEquals(
    logged(() => lines.pickedUp(ID, 0, "a b,c@example.com")),
    `${ID}: uid=0 from=<"a b,c"@example.com>`,
  );
});

Deno.test("a long text is cut", () => {
  const line = logged(() => lines.notSmtp(CLIENT, "x".repeat(1_000_000)));
  assertEquals(line.length < 2100, true);
});
