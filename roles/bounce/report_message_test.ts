/** What a notification says, and that nothing foreign gets out of its place in it. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { anyCharacter } from "../../tests/support/hostile.ts";
import { textBytes } from "../../shared/bytes.ts";
import { mailDate } from "../../shared/mail/date.ts";
import { fields, NOW, ORIGINAL, recipient, report, scene } from "./test_scene.ts";

Deno.test("report() gives ORCPT as it came, decoded and without controls", async () => {
  const from = (orcpt: string) => fields(report({ recipients: [recipient({ orcpt })] }));
  assertStringIncludes(await from("rfc822;a+2Bb@x"), "Original-Recipient: rfc822;a+b@x\r\n");
  assertStringIncludes(
    await from("rfc822;a+0D+0ABcc:b"),
    "Original-Recipient: rfc822;a??Bcc:b\r\n",
  );
});

Deno.test("report() gives a local reason under the name of this system", async () => {
  const text = await fields(
    report({
      recipients: [recipient({}, { remoteMta: "", diagnostic: "", text: "no such user" })],
    }),
  );
  assertStringIncludes(text, "Diagnostic-Code: X-Postern; no such user");
  assert(!text.includes("Remote-MTA"));
});

Deno.test("report() says until when a delayed message is tried", async () => {
  const text = await fields(
    report({ kind: "delay", retryUntil: NOW + 1, recipients: [recipient({}, { dsn: "4.4.1" })] }),
  );
  assertStringIncludes(text, `Action: delayed\r\nStatus: 4.4.1`);
  assertStringIncludes(text, `Will-Retry-Until: ${mailDate(NOW + 1)}`);
});

for (
  const [warning, lifetime, late, old] of [
    ["4h", 5 * 86_400, "4 hour(s)", "5 day(s)"],
    ["1d", 36 * 3600, "24 hour(s)", "36 hour(s)"],
    ["90m", 90, "90 minute(s)", "90 second(s)"],
  ] as const
) {
  Deno.test(`report() says that it warns after ${late}, and gives up after ${old}`, async () => {
    const { report: ask, sent } = scene({ delay_warning_time: warning });
    const arrived = NOW - 60_000;
    await ask(report({ kind: "delay", retryUntil: arrived + lifetime * 1000 }, { arrived }));
    const [, notice] = sent[0]!.text.split("us-ascii\r\n\r\n");
    assertEquals(
      notice!.slice(0, notice!.indexOf("For help")).replaceAll("\r\n", "\n"),
      `This is the mail system at host mx.example.net.

####################################################################
# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #
####################################################################

Your message could not be delivered for more than ${late}.
It will be retried until it is ${old} old.

`,
    );
  });
}

Deno.test("report() names what it quotes as Postfix does", async () => {
  for (const kind of ["failure", "delay", "success"] as const) {
    const { report: ask, sent } = scene();
    await ask(report({ kind }, { ret: "HDRS", sender: 'a"b@x' }));
    const [name, type, , path] = sent[0]!.text.split("Content-Description: ")[3]!.split("\r\n");
    assertEquals([name, type, path], [
      kind === "success" ? "Message Headers" : "Undelivered Message Headers",
      "Content-Type: text/rfc822-headers",
      'Return-Path: <"a\\"b"@x>',
    ]);
  }
});

Deno.test("report() leaves out a return path that fits no line", async () => {
  const { report: ask, sent } = scene();
  await ask(report({}, { sender: `${"x".repeat(990)}@x` }));
  assertEquals(sent[0]!.text.includes("Return-Path"), false);
});

for (
  const [trace, outcome, retryUntil, fieldsOf] of [
    ["verify", { status: "deliverable", dsn: "2.1.5" }, 0, "Action: deliverable\r\nStatus: 2.1.5"],
    [
      "verify",
      { status: "undeliverable", dsn: "4.2.1" },
      NOW,
      "Action: undeliverable\r\nStatus: 4.2.1",
    ],
    ["deliver", { status: "sent", dsn: "2.0.0" }, NOW, "Action: delivered\r\n"],
    ["deliver", { status: "sent", dsn: "2.0.0", success: "relayed" }, NOW, "Action: relayed\r\n"],
    ["deliver", { status: "sent", dsn: "2.0.0", success: "passed" }, NOW, "Action: relayed\r\n"],
    ["deliver", { status: "bounced", dsn: "5.1.1" }, NOW, "Action: failed\r\n"],
    ["deliver", { status: "deferred", dsn: "4.2.0" }, NOW, "Action: delayed\r\n"],
    ["deliver", { status: "deferred", dsn: "4.2.0" }, 0, "Action: failed\r\n"],
  ] as const
) {
  Deno.test(`report() of a message to ${trace} says of ${outcome.status}, until ${retryUntil}, ${JSON.stringify(fieldsOf)}`, async () => {
    const text = await fields(
      report({ kind: "trace", retryUntil, recipients: [recipient({}, outcome)] }, { trace }),
    );
    assertStringIncludes(text, fieldsOf);
    assertEquals(text.includes("Will-Retry-Until"), text.includes("Action: delayed"));
  });
}

Deno.test("report() of a trace says by which relay, whether in words or for programs", async () => {
  const { report: ask, sent, log } = scene({ notify_classes: "bounce, delay, 2bounce" });
  const local = {
    status: "deliverable",
    dsn: "2.0.0",
    text: "delivers to maildir",
    relay: "virtual",
  };
  await ask(report({
    kind: "trace",
    recipients: [
      recipient({}, { ...local, remoteMta: "", diagnostic: "" }),
      recipient({ address: "b@x", original: "" }, {
        status: "undeliverable",
        relay: "mx[192.0.2.1]:25",
      }),
    ],
  }, { trace: "verify" }));
  assertEquals(log, ["4dXyZ12345z1: sender delivery status notification: 4dXyZ12341z1"]);
  const { text, submission } = sent[0]!;
  assertEquals([submission.envelope.sender, submission.envelope.trace], ["", undefined]);
  for (
    const part of [
      "\r\nSubject: Mail Delivery Status Report\r\n",
      "\r\nAuto-Submitted: auto-replied\r\n",
      "looked at as if there were mail for it; nothing was delivered.\r\n",
      "\r\n<anna@example.com> (expanded from <all@example.net>): delivery via virtual:\r\n" +
      "    delivers to maildir\r\n",
      "\r\n<b@x>: delivery via mx[192.0.2.1]:25: host",
      "\r\nDiagnostic-Code: X-Postern; delivery via virtual: delivers to maildir\r\n",
      "\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
      "\r\nContent-Description: Message Headers\r\nContent-Type: text/rfc822-headers\r\n",
    ]
  ) assertStringIncludes(text, part);
});

Deno.test("report() of a trace tells no postmaster when there is no sender", async () => {
  const { report: ask, sent } = scene({ notify_classes: "2bounce" });
  const asked = report({ kind: "trace" }, { trace: "verify", sender: "" });
  assertEquals([await ask(asked), sent], [{ queueId: "", told: 1 }, []]);
});

Deno.test("report() tells delivered from relayed and expanded", async () => {
  for (const success of ["delivered", "relayed", "expanded"]) {
    const text = await fields(
      report({ kind: "success", recipients: [recipient({}, { dsn: "2.0.0", success })] }),
    );
    assertStringIncludes(text, `Action: ${success}\r\nStatus: 2.0.0`);
  }
});

Deno.test("report() of a success says where the message went", async () => {
  const outcome = {
    status: "sent",
    text: "delivered to maildir",
    diagnostic: "",
    relay: "virtual",
  };
  const { report: ask, sent } = scene();
  await ask(report({ kind: "success", recipients: [recipient({ original: "" }, outcome)] }));
  const words = "delivery via virtual: delivered to maildir\r\n";
  for (
    const part of [`\r\n<anna@example.com>: ${words}`, `\r\nDiagnostic-Code: X-Postern; ${words}`]
  ) {
    assertStringIncludes(sent[0]!.text, part);
  }
});

for (
  const [why, asked, original] of [
    ["RET=HDRS", report({}, { ret: "HDRS" }), ORIGINAL],
    ["a large message", report({ size: 50_001 }), ORIGINAL],
    ["more content than the size says", report(), ORIGINAL + "x".repeat(50_000)],
    ["a delay", report({ kind: "delay" }), ORIGINAL],
    ["a success", report({ kind: "success" }), ORIGINAL],
  ] as const
) {
  Deno.test(`report() quotes only the headers for ${why}`, async () => {
    const { report: ask, sent } = scene();
    await ask(asked, original);
    const quoted = sent[0]!.text.split("text/rfc822-headers\r\n\r\n")[1]!;
    const headers = ORIGINAL.split("\r\n\r\n")[0];
    assertEquals(quoted.split("\r\n--")[0], `Return-Path: <joe@example.org>\r\n${headers}\r\n`);
  });
}

Deno.test("report() quotes no more than bounce_size_limit of endless headers, in whole lines", async () => {
  const { report: ask, sent } = scene({ bounce_size_limit: "100" });
  await ask(report({ size: 10_000 }), "X: y\r\n".repeat(1000));
  const quoted = sent[0]!.text.split("text/rfc822-headers\r\n\r\n")[1]!.split("\r\n--")[0]!;
  assertEquals(quoted, "Return-Path: <joe@example.org>\r\n" + "X: y\r\n".repeat(16));
});

Deno.test("report() uses the global types for SMTPUTF8", async () => {
  const { report: ask, sent } = scene();
  await ask(report({ recipients: [recipient({ address: "jö@x" })] }, { smtputf8: true }));
  const { text, submission } = sent[0]!;
  assertEquals([submission.envelope.smtputf8, submission.envelope.body], [true, "8bit"]);
  for (
    const part of [
      "report-type=global-delivery-status",
      "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit",
      "Content-Type: message/global\r\n",
      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit",
      "Final-Recipient: utf-8; j\xc3\xb6@x",
    ]
  ) assertStringIncludes(text, part);
});

Deno.test("report() writes addresses beyond ASCII in ASCII without SMTPUTF8", async () => {
  const text = await fields(report({ recipients: [recipient({ address: "jö@x" })] }));
  assertStringIncludes(text, "Final-Recipient: utf-8; j\\x{F6}@x\r\n");
});

Deno.test("report() lets nothing that a remote server says turn its text around or hide it", async () => {
  const said = "550 \u202eno\u061c\u200b\u009b2J \u{e0041}";
  const hostile = { text: said, diagnostic: said, remoteMta: "mx\u2066" };
  const { report: ask, sent } = scene();
  const told = recipient({ address: "j\u200fö\\@x", original: "b\u2069@x" }, hostile);
  await ask(report({ recipients: [told] }, { smtputf8: true }));
  const [, notice, status] = sent[0]!.text.split(/^--.*$/m).map((part) =>
    new TextDecoder().decode(textBytes(part))
  );
  for (const part of [notice!, status!]) {
    assertEquals(/(?![\r\n])[\p{Cc}\p{Cf}]/u.test(part), false, JSON.stringify(part));
  }
  // Programs have the address as it is (RFC 6533 3).
  assertStringIncludes(status!, 'Final-Recipient: utf-8; "j\\x{200F}ö\\x{5C}\\x{5C}"@x\r\n');
});

Deno.test("report() marks 8-bit content as such", async () => {
  const { report: ask, sent } = scene();
  await ask(report(), "Subject: x\r\n\r\n\xff\r\n");
  assertEquals(sent[0]!.submission.envelope.body, "8bit");
  assertStringIncludes(sent[0]!.text, "message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n");
});

const PYTHON = `
import email, email.policy, sys, json
data = sys.stdin.buffer.read()
m = email.message_from_bytes(data, policy=email.policy.SMTP.clone(raise_on_defect=True))
assert m.get_content_type() == "multipart/report", m.get_content_type()
notice, status, original = m.get_payload()
assert all(len(line) <= 998 for line in data.split(b"\\r\\n")), "long line"
groups = status.get_payload()
print(json.dumps({
  "report": m.get_param("report-type"),
  "notice": notice.get_content().splitlines()[0],
  "status": [[[k, str(v)] for k, v in g.items()] for g in groups],
  "subject": str(original.get_payload()[0]["Subject"]),
}))
`;

/** What Python's email package makes of a message; every defect is an error. */
async function parse(text: string) {
  const child = new Deno.Command("python3", {
    args: ["-c", PYTHON],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(textBytes(text));
  await writer.close();
  const { stdout, stderr, success } = await child.output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("report() writes what a strict parser reads as a delivery report", async () => {
  const { report: ask, sent } = scene();
  const reason = "said: " + "x".repeat(1500) + " " + "y z ".repeat(100);
  const hostile = { text: reason, diagnostic: reason, remoteMta: "mx" };
  await ask(report({ recipients: [recipient({}, hostile), recipient({ address: "a b@x" })] }));
  const parsed = await parse(sent[0]!.text);
  assertEquals([parsed.report, parsed.notice, parsed.subject], [
    "delivery-status",
    "This is the mail system at host mx.example.net.",
    "x",
  ]);
  assertEquals(parsed.status.length, 3);
  assertEquals(parsed.status[2][0], ["Final-Recipient", 'rfc822; "a b"@x']);
});

Deno.test("report() keeps everything foreign inside its part", () =>
  fc.assert(fc.asyncProperty(
    fc.string({ maxLength: 300, unit: "grapheme" }),
    fc.string({ maxLength: 300 }),
    fc.boolean(),
    async (foreign, original, smtputf8) => {
      // deno-lint-ignore no-control-regex
      const line = foreign.replace(/[\x00-\x1f\x7f]/g, "");
      const { report: ask, sent } = scene();
      const recipients = [recipient({ address: line, original: line }, { text: line.repeat(5) })];
      const quoted = `X: y\r\n\r\n${original.replace(/[\r\n]|[^\0-\xff]/g, "")}\r\n`;
      await ask(report({ recipients, size: quoted.length }, { smtputf8 }), quoted);
      const { text } = sent[0]!;
      const boundary = /boundary="(.*)"/.exec(text)![1]!;
      assertEquals(text.split(`--${boundary}`).length, 5);
      assertEquals(/(^|[^\r])\n|\r($|[^\n])/.test(text), false);
      assertEquals(text.endsWith(`${quoted}\r\n--${boundary}--\r\n`), true);
    },
  )));

Deno.test("report() makes no line that SMTP cannot carry, and an ASCII status part without SMTPUTF8", () => {
  const hostile = fc.tuple(
    fc.string({ unit: anyCharacter, maxLength: 20 }),
    fc.constantFrom("a", " ", "é", "\u{1f4ec}", '"', "\\", "\u2028", "\x9b", "--", ":"),
    fc.nat({ max: 980 }),
    // deno-lint-ignore no-control-regex
  ).map(([text, more, times]) => (text + more.repeat(times)).replace(/[\x00-\x1f\x7f]/g, ""));
  return fc.assert(fc.asyncProperty(
    hostile.map((text) => text.slice(0, 1000)),
    hostile,
    async (address, text) => {
      const { report: ask, sent } = scene();
      const told = recipient({ address, original: address }, { text, diagnostic: text });
      await ask(report({ recipients: [told] }, { sender: address || "joe@example.org" }));
      const lines = sent[0]!.text.split("\r\n");
      for (const line of lines) assert(line.length <= 998, `${line.length} bytes: ${line}`);
      const status = sent[0]!.text.split("Content-Type: message/delivery-status")[1]!
        .split("\r\n--")[0]!;
      // deno-lint-ignore no-control-regex
      assertEquals(/[^\x00-\x7f]/.test(status), false);
    },
  ));
});
