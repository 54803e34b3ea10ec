/** What happens to mail that cannot be delivered: later, or back to its sender. */

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { peerTest, run } from "../support/peers.ts";
import { Sink } from "../support/sink.ts";
import { databaseDirectory } from "../../shared/layout.ts";
import { freePort, System } from "../support/system.ts";

/** Prints what a mail reader finds in a report, as JSON. */
const READ_REPORT = `
import email, email.policy, json, sys
m = email.message_from_string(sys.stdin.read(), policy=email.policy.default)
parts = list(m.iter_parts())
status = parts[1].get_payload()
print(json.dumps({
  "type": m.get_content_type(), "report": m.get_param("report-type"), "defects": len(m.defects),
  "to": m["To"], "auto": m["Auto-Submitted"], "types": [p.get_content_type() for p in parts],
  "message": dict(status[0].items()), "recipient": dict(status[1].items()),
  "original": parts[2].get_payload()[0]["Subject"] if parts[2].is_multipart() else parts[2].get_payload(),
}))`;

peerTest("mail that is refused for good comes back as a report", ["python3"], async (peers) => {
  await using sink = await Sink.start({
    answer: (line) => line.startsWith("RCPT") ? "550 5.1.1 no such user" : undefined,
  });
  await using system = await System.start({ sink: `smtp:[127.0.0.1]:${sink.port}` });
  await system.send("gone@sink.test", "Subject: lost\n\nhello", "u1@box.test");
  await system.until(() => system.maildir("u1").length === 1);
  const [text] = system.maildir("u1");
  assertMatch(text!, /^Return-Path: <>\n/);
  const report = JSON.parse(await run(peers.python3, ["-c", READ_REPORT], { input: text! }));
  assertEquals([report.type, report.report, report.defects], [
    "multipart/report",
    "delivery-status",
    0,
  ]);
  assertEquals(report.types, ["text/plain", "message/delivery-status", "message/rfc822"]);
  assertEquals(report.to, "u1@box.test");
  assertEquals(report.auto, "auto-replied");
  assertEquals(report.recipient["Final-Recipient"], "rfc822; gone@sink.test");
  assertEquals([report.recipient.Action, report.recipient.Status], ["failed", "5.1.1"]);
  assertStringIncludes(report.recipient["Diagnostic-Code"], "smtp; 550 5.1.1 no such user");
  assertEquals(report.original, "lost");
});

Deno.test("mail waits for a server that is down, or that refuses it for now", async (t) => {
  const port = await freePort();
  await using system = await System.start({ sink: `smtp:[127.0.0.1]:${port}` });
  const allDeferred = () =>
    system.until(async () => {
      const all = await system.listing();
      return all.length > 0 && all.every((each) => each.queue_name === "deferred");
    });

  await t.step("until it is flushed", async () => {
    const id = await system.send("later@sink.test");
    await allDeferred();
    const listing = await system.command(["postqueue", "-p"]);
    assertStringIncludes(listing, id);
    assertMatch(listing, /Connection refused/);
    assertMatch(listing, /-- \d+ Kbytes in 1 Request\./);
    assertMatch(await system.command(["postcat", "-q", id]), /Subject: test/);

    await using sink = await Sink.start({ port });
    await system.command(["postqueue", "-f"]);
    await system.until(() => sink.received.length === 1);
    await system.untilEmpty();
  });

  await t.step("until it is released, if it is held; deleted mail is gone", async () => {
    const kept = await system.send("a@sink.test"), unwanted = await system.send("b@sink.test");
    await allDeferred();
    await system.command(["postsuper", "-h", kept]);
    await system.command(["postsuper", "-d", unwanted]);
    assertEquals((await system.listing()).map((each) => [each.queue_id, each.queue_name]), [
      [kept, "hold"],
    ]);
    await using sink = await Sink.start({ port });
    await system.command(["postsuper", "-H", kept]);
    await system.command(["postqueue", "-f"]);
    await system.until(() => sink.received.length === 1);
    await system.untilEmpty();
  });

  await t.step("and is never bounced, but tried again", async () => {
    let full = true;
    await using sink = await Sink.start({
      port,
      answer: (line) => full && line.startsWith("RCPT") ? "452 4.2.2 mailbox full" : undefined,
    });
    const id = await system.send("full@sink.test", undefined, "u1@box.test");
    await allDeferred();
    await system.untilSaid(`${id}: to=<full@sink.test>.* dsn=4.2.2, status=deferred`);
    full = false;
    await system.command(["postqueue", "-i", id]);
    // The DATA that went with the refused RCPT ended in a message for nobody.
    await system.until(() => sink.received.some(({ to }) => to.length === 1));
    assertEquals(system.maildir("u1"), []);
  });
});

Deno.test("a queue that is no database is told in one line, and mail hears 4xx", async () => {
  await using system = await System.start();
  await system.stop();
  const directory = databaseDirectory(system.queue);
  await Deno.remove(`${directory}/queue.db-wal`);
  await Deno.writeTextFile(`${directory}/queue.db`, "no database\n".repeat(1000));
  await system.start();
  await system.untilSaid(/qmgr\[\d+\]: fatal: open \S+\/queue\.db: file is not a database\n/);
  using client = await system.client();
  const told = await assertRejects(() => client.message("s@src.test", ["u1@box.test"], "x"), Error);
  assertMatch(told.message, /: 4\d\d /);
});
