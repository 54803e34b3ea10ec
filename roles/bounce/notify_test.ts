import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../../shared/errors.ts";
import { Content } from "../../shared/ipc/content.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { setSink } from "../../shared/log/log.ts";
import { byteText, textBytes } from "../../shared/mail/header.ts";
import { mailDate } from "../../shared/mail/date.ts";
import { bounceParameters } from "../../shared/parameters/bounce.ts";
import { parseAll } from "../../shared/parameters/declare.ts";
import type { Report } from "../../shared/protocols/bounce.ts";
import { type CleanupClient, Notifier } from "./notify.ts";

const NOW = 1_700_000_000_000;
const QUEUE_ID = "4dXyZ12345z1";
const ORIGINAL = "Received: a\r\n\tb\r\nSubject: x\r\nFrom: joe\r\n\r\nbody\r\n--x\r\n";

function report(more: Partial<Omit<Report, "envelope">> = {}, envelope = {}): Report {
  return {
    kind: "failure",
    envelope: {
      queueId: QUEUE_ID,
      sender: "joe@example.org",
      arrived: NOW - 60_000,
      client: { name: "", address: "", port: 0, helo: "", protocol: "" },
      smtputf8: false,
      body: "7bit",
      ret: "",
      envid: "",
      ...envelope,
    },
    size: ORIGINAL.length,
    recipients: [recipient()],
    retryUntil: 0,
    ...more,
  };
}

function recipient(more = {}, outcome = {}): Report["recipients"][number] {
  return {
    address: "anna@example.com",
    original: "all@example.net",
    orcpt: "",
    notify: [],
    outcome: {
      n: 0,
      status: "bounced",
      dsn: "5.1.1",
      text: "host mx.example.com[192.0.2.1] said: 550 5.1.1 no such user",
      remoteMta: "mx.example.com",
      diagnostic: "550 5.1.1 no such user",
      ...outcome,
    },
    ...more,
  };
}

// deno-lint-ignore no-explicit-any
type Sent = { submission: any; text: string };

/** A notifier between a qmgr and a cleanup of the test's own. */
function scene(texts: Record<string, string> = {}, fails?: (sent: Sent) => unknown) {
  const sent: Sent[] = [], log: string[] = [];
  setSink((severity, text) => log.push(severity === "info" ? text : `${severity}: ${text}`));
  const defaults = Object.values(bounceParameters).map(({ name, fallback }) => [name, fallback]);
  const params = parseAll(bounceParameters, {
    ...Object.fromEntries(defaults),
    myhostname: "mx.example.net",
    ...texts,
  });
  let ids = 0;
  const call = async (_: string, submission: unknown, bytes: Uint8Array) => {
    const each = { submission, text: byteText(bytes) };
    const reply = await fails?.(each) ?? { queued: true, code: 250, dsn: "2.0.0", text: "Ok" };
    sent.push(each);
    return { reply };
  };
  const cleanup = { call, close() {} } as unknown as CleanupClient;
  const notifier = new Notifier(params, cleanup, () => `4dXyZ1234${++ids}z1`, () => NOW);
  return {
    sent,
    log,
    report: (asked: Report, original = ORIGINAL) =>
      notifier.report(asked, new Content(textBytes(original), false, () => {})),
  };
}

Deno.test("report() tells the sender of a failure, with the null sender", async () => {
  const { report: ask, sent, log } = scene();
  assertEquals(await ask(report({}, { envid: "a+2Bb" })), { queueId: "4dXyZ12341z1" });
  const { submission, text } = sent[0]!;
  assertEquals([submission.envelope.sender, submission.envelope.body, submission.local], [
    "",
    "7bit",
    true,
  ]);
  assertEquals(submission.recipients, [
    { address: "joe@example.org", original: "joe@example.org", orcpt: "", notify: [] },
  ]);
  assertEquals(log, [`${QUEUE_ID}: sender non-delivery notification: 4dXyZ12341z1`]);
  const boundary = `4dXyZ12341z1.${NOW / 1000}/mx.example.net`;
  assertEquals(
    text,
    `Received: by mx.example.net (Postern)
	id 4dXyZ12341z1; ${mailDate(NOW)}
Date: ${mailDate(NOW)}
From: Mail Delivery System <MAILER-DAEMON>
Subject: Undelivered Mail Returned to Sender
To: joe@example.org
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="${boundary}"
Content-Transfer-Encoding: 7bit

This is a MIME-encapsulated message.

--${boundary}
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.net.

Your message could not be delivered to the recipients below, and it will
not be tried again. The message, or its headers, are attached.

For help, write to postmaster and include this report. The attached
text of your message is not needed for that.

                   The mail system

<anna@example.com> (expanded from <all@example.net>): host
    mx.example.com[192.0.2.1] said: 550 5.1.1 no such user

--${boundary}
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Original-Envelope-Id: a+b
X-Postern-Queue-ID: ${QUEUE_ID}
X-Postern-Sender: rfc822; joe@example.org
Arrival-Date: ${mailDate(NOW - 60_000)}

Final-Recipient: rfc822; anna@example.com
Original-Recipient: rfc822; all@example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 550 5.1.1 no such user

--${boundary}
Content-Description: Undelivered Message
Content-Type: message/rfc822

`.replaceAll("\n", "\r\n") + `${ORIGINAL}\r\n--${boundary}--\r\n`,
  );
});

/** The text of the report for this, without notice and head. */
async function fields(asked: Report): Promise<string> {
  const { report: ask, sent } = scene();
  await ask(asked);
  return sent[0]!.text.split("delivery-status\r\n\r\n")[1]!.split("\r\n\r\n--")[0]!;
}

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

Deno.test("report() tells delivered from relayed", async () => {
  for (const success of ["delivered", "relayed"]) {
    const text = await fields(
      report({ kind: "success", recipients: [recipient({}, { dsn: "2.0.0", success })] }),
    );
    assertStringIncludes(text, `Action: ${success}\r\nStatus: 2.0.0`);
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
    assertEquals(quoted.split("\r\n--")[0], ORIGINAL.split("\r\n\r\n")[0] + "\r\n");
  });
}

Deno.test("report() quotes no more than bounce_size_limit of endless headers, in whole lines", async () => {
  const { report: ask, sent } = scene({ bounce_size_limit: "100" });
  await ask(report({ size: 10_000 }), "X: y\r\n".repeat(1000));
  const quoted = sent[0]!.text.split("text/rfc822-headers\r\n\r\n")[1]!.split("\r\n--")[0]!;
  assertEquals(quoted, "X: y\r\n".repeat(16));
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

Deno.test("report() marks 8-bit content as such", async () => {
  const { report: ask, sent } = scene();
  await ask(report(), "Subject: x\r\n\r\n\xff\r\n");
  assertEquals(sent[0]!.submission.envelope.body, "8bit");
  assertStringIncludes(sent[0]!.text, "message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n");
});

Deno.test("report() answers no null sender", async () => {
  for (const kind of ["failure", "delay", "success"] as const) {
    const { report: ask, sent } = scene({ notify_classes: "bounce, delay" });
    assertEquals(await ask(report({ kind }, { sender: "" })), { queueId: "" });
    assertEquals(sent, []);
  }
});

Deno.test("report() tells the postmaster of a double bounce when 2bounce says so", async () => {
  const { report: ask, sent, log } = scene({ notify_classes: "2bounce" });
  await ask(report({}, { sender: "" }));
  const { submission, text } = sent[0]!;
  assertEquals([submission.envelope.sender, submission.recipients[0].address], [
    "double-bounce",
    "postmaster",
  ]);
  assertStringIncludes(text, "Subject: Postmaster Copy: Undelivered Mail\r\n");
  assertStringIncludes(text, "Auto-Submitted: auto-generated\r\n");
  assertEquals(log, [`${QUEUE_ID}: postmaster non-delivery notification: 4dXyZ12341z1`]);
});

Deno.test("report() answers no postmaster notification", async () => {
  const { report: ask, sent, log } = scene({ notify_classes: "2bounce, bounce" });
  const sender = "Double-Bounce@example.net";
  assertEquals(await ask(report({}, { sender })), { queueId: "" });
  assertEquals(sent, []);
  assertEquals(log, [`warning: ${QUEUE_ID}: undeliverable postmaster notification discarded`]);
});

for (
  const [kind, subject] of [
    ["failure", "Postmaster Copy: Undelivered Mail"],
    ["delay", "Postmaster Warning: Delayed Mail"],
  ] as const
) {
  Deno.test(`report() copies the headers of a ${kind} to the postmaster when asked to`, async () => {
    const { report: ask, sent } = scene({ notify_classes: "bounce, delay" });
    assertEquals(await ask(report({ kind })), { queueId: "4dXyZ12341z1" });
    assertEquals(sent.map(({ submission }) => submission.envelope.sender), ["", "double-bounce"]);
    assertStringIncludes(sent[1]!.text, `Subject: ${subject}\r\n`);
    assert(!sent[1]!.text.includes("body"));
  });
}

Deno.test("report() fails when cleanup does not take the report", async () => {
  const refusing = scene({}, () => ({ queued: false, code: 451, dsn: "4.3.0", text: "no" }));
  await assertRejects(() => refusing.report(report()), StorageError, "451 4.3.0 no");
  const away = scene({}, () => {
    return Promise.reject(new CallError("unavailable", "cleanup: gone"));
  });
  await assertRejects(() => away.report(report()), StorageError, "cleanup: gone");
});

Deno.test("report() succeeds when only the postmaster's copy is not taken", async () => {
  const { report: ask, log } = scene(
    { notify_classes: "bounce" },
    ({ submission }) =>
      submission.envelope.sender
        ? { queued: false, code: 451, dsn: "4.3.0", text: "no" }
        : undefined,
  );
  assertEquals(await ask(report()), { queueId: "4dXyZ12341z1" });
  assertEquals(log.at(-1)?.startsWith("warning: "), true);
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
    fc.string({ unit: "binary", maxLength: 20 }),
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
