/** Who is told of what, in which message, and what becomes of notifications that cannot be sent. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { StorageError } from "../../shared/errors.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { mailDate } from "../../shared/mail/date.ts";
import { madeSources } from "../../shared/protocols/bounce.ts";
import { NOW, ORIGINAL, QUEUE_ID, report, scene } from "./test_scene.ts";

Deno.test("report() tells the sender of a failure, with the null sender", async () => {
  const { report: ask, sent, log } = scene();
  assertEquals(await ask(report({}, { envid: "a+2Bb" })), { queueId: "4dXyZ12341z1", told: 1 });
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
Original-Recipient: rfc822;all@example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 550 5.1.1 no such user

--${boundary}
Content-Description: Undelivered Message
Content-Type: message/rfc822

Return-Path: <joe@example.org>
`.replaceAll("\n", "\r\n") + `${ORIGINAL}\r\n--${boundary}--\r\n`,
  );
});

Deno.test("report() answers no null sender", async () => {
  for (
    const [kind, classes] of [
      ["failure", "delay"],
      ["delay", "bounce, 2bounce, delay"],
      ["success", "bounce, 2bounce, delay"],
    ] as const
  ) {
    const { report: ask, sent } = scene({ notify_classes: classes });
    assertEquals(await ask(report({ kind }, { sender: "" })), { queueId: "", told: 1 });
    assertEquals(sent, []);
  }
});

for (const classes of ["2bounce", "bounce", "bounce, 2bounce"]) {
  Deno.test(`report() tells the postmaster of a double bounce when notify_classes = ${classes}`, async () => {
    const { report: ask, sent, log } = scene({
      notify_classes: classes,
      "2bounce_notice_recipient": "twice",
    });
    await ask(report({}, { sender: "" }));
    const [{ submission, text }] = sent as [typeof sent[0]];
    assertEquals(sent.length, 1);
    assertEquals([submission.envelope.sender, submission.recipients[0].address], [
      "double-bounce",
      "twice",
    ]);
    assertStringIncludes(text, "Subject: Postmaster Copy: Undelivered Mail\r\n");
    assertStringIncludes(text, "Auto-Submitted: auto-generated\r\n");
    assertEquals(log, [`${QUEUE_ID}: postmaster non-delivery notification: 4dXyZ12341z1`]);
  });
}

Deno.test("report() answers no postmaster notification", async () => {
  const { report: ask, sent, log } = scene({ notify_classes: "2bounce, bounce" });
  const sender = "Double-Bounce@example.net";
  assertEquals(await ask(report({}, { sender })), { queueId: "", told: 1 });
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
    assertEquals(await ask(report({ kind })), { queueId: "4dXyZ12341z1", told: 1 });
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

Deno.test("report() names report and copy so that neither is queued twice, and both are wanted", async () => {
  const { report: ask, sent } = scene({ notify_classes: "bounce" });
  for (const source of ["a".repeat(64), "a".repeat(64), "b".repeat(64)]) {
    await ask(report({ source }));
  }
  const ids = sent.map(({ submission }) => submission.source.id);
  assertEquals(ids.slice(0, 2), ids.slice(2, 4));
  assertEquals(new Set(ids).size, 4);
  assertEquals(ids[1], madeSources("a".repeat(64), 1, 1).copy);
});

Deno.test("report() succeeds when only the postmaster's copy is not taken", async () => {
  const { report: ask, log } = scene(
    { notify_classes: "bounce" },
    ({ submission }) =>
      submission.envelope.sender
        ? { queued: false, code: 451, dsn: "4.3.0", text: "no" }
        : undefined,
  );
  assertEquals(await ask(report()), { queueId: "4dXyZ12341z1", told: 1 });
  assertEquals(log.at(-1)?.startsWith("warning: "), true);
});
