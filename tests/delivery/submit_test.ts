/** Mail from users of this host: sendmail, the maildrop, pickup. */

import { assertEquals, assertMatch } from "@std/assert";
import { maildropDirectory } from "../../shared/layout.ts";
import { System } from "../support/system.ts";

const MESSAGE = "Subject: from a program\nTo: u1@box.test\n\nhello\n";

Deno.test("sendmail submits while the system is down, and the mail arrives when it is up", async () => {
  await using system = await System.prepare();
  await system.start();
  await system.command(["sendmail", "-f", "s@src.test", "u1@box.test"], MESSAGE);
  await system.until(() => system.maildir("u1").length === 1);
  assertEquals(await system.stop(), 0);

  await system.command(["sendmail", "-f", "s@src.test", "-F", "A Name", "u2@box.test"], MESSAGE);
  assertEquals(system.maildir("u2"), []);
  await system.start();
  await system.until(() => system.maildir("u2").length === 1);
  const [text] = system.maildir("u2");
  assertMatch(text!, /^Return-Path: <s@src\.test>\n/);
  for (const field of ["Message-I[dD]", "Date", "From", "Received"]) {
    assertMatch(text!, new RegExp(`^${field}: `, "m"));
  }
});

Deno.test("sendmail -t takes the recipients from the headers", async () => {
  await using system = await System.start();
  await system.command(
    ["sendmail", "-t", "-f", "s@src.test"],
    "Subject: x\nTo: u1@box.test\nBcc: u2@box.test\n\nhello\n",
  );
  await system.until(() => system.maildir("u1").length + system.maildir("u2").length === 2);
  for (const user of ["u1", "u2"]) {
    assertEquals(/^Bcc:/m.test(system.maildir(user)[0]!), false);
  }
});

Deno.test("a submission arrives once although pickup is killed before it removes the file", async () => {
  await using system = await System.prepare();
  await system.start({ POSTERN_STOP_AT: "pickup:pickup.queued:1" });
  // Large, so that the second attempt is answered while it still streams.
  const large = MESSAGE + "x\n".repeat(500_000);
  await system.command(["sendmail", "-f", "s@src.test", "u1@box.test"], large);
  const maildrop = () => [...Deno.readDirSync(maildropDirectory(system.queue))].length;
  // The queue forgets the message when it is delivered; it must not forget the submission.
  await system.until(() => system.maildir("u1").length === 1);
  const queued = () => system.listing();
  await system.until(async () => (await queued()).length === 0);
  assertEquals(maildrop(), 1);
  assertEquals(system.kill("pickup") > 0, true);
  await system.until(() => maildrop() === 0);
  await system.untilSaid(/ was queued already, as \w+\n/);
  await system.command(["sendmail", "-f", "s@src.test", "u2@box.test"], MESSAGE);
  await system.until(() => system.maildir("u2").length === 1);
  assertEquals(system.maildir("u1").length, 1);
});
