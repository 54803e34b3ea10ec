/** Mail comes in by SMTP: what is accepted arrives, what is not is refused at once. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotMatch,
  assertStringIncludes,
} from "@std/assert";
import { load } from "../support/load.ts";
import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";

/** What a header gets that has nothing but `To: friend`. */
const ADDED = [
  /^Message-Id: <\S+@mx\.postern\.test>$/m,
  /^Date: /m,
  /^From: s@src\.test$/m,
  /^To: friend@mx\.postern\.test$/m,
];

/** A message as it arrives whose header has next to nothing. */
async function bare(system: System): Promise<string> {
  await system.send("u2@box.test", "Subject: bare\nTo: friend\n\nhello", "s@src.test");
  await system.until(() => system.maildir("u2").length === 1);
  return system.maildir("u2")[0]!;
}

Deno.test("mail of any size and number arrives", async (t) => {
  await using sink = await Sink.start();
  await using system = await System.start({
    sink: `smtp:[127.0.0.1]:${sink.port}`,
    main: "mynetworks = 192.0.2.0/24",
  });

  await t.step("unknown users and foreign destinations are refused at RCPT", async () => {
    using client = await system.client();
    await client.command("MAIL FROM:<s@src.test>");
    const unknown = await client.command("RCPT TO:<nobody@box.test>");
    assertMatch(
      unknown.text,
      /^550 5\.1\.1 <nobody@box\.test>: Recipient address rejected: User unknown/,
    );
    const relay = await client.command("RCPT TO:<someone@elsewhere.test>");
    assertMatch(relay.text, /^[45]54 [45]\.7\.1 <someone@elsewhere\.test>: Relay access denied/);
    assertEquals((await client.command("RCPT TO:<u1@box.test>")).code, 250);
  });

  await t.step("mail that comes by SMTP goes to a Maildir, and on to another server", async () => {
    const content = "Subject: one\nFrom: s@src.test\n\n.dots\n..and\n\nlines";
    await system.send("u1@box.test", content);
    await system.until(() => system.maildir("u1").length === 1);
    const [message] = system.maildir("u1");
    assertMatch(
      message!,
      /^Return-Path: <s@src\.test>\nX-Original-To: u1@box\.test\nDelivered-To: /,
    );
    assertStringIncludes(message!, "\nSubject: one\nFrom: s@src.test\n");
    assertStringIncludes(message!, "\n\n.dots\n..and\n\nlines\n");

    const id = await system.send("someone@sink.test", content);
    await system.until(() => sink.received.length === 1);
    const [relayed] = sink.received;
    assertEquals([relayed!.from, relayed!.to], ["s@src.test", ["someone@sink.test"]]);
    assertStringIncludes(relayed!.content, `(Postern) with ESMTP id ${id}`);
    assertStringIncludes(relayed!.content, "\r\n\r\n.dots\r\n..and\r\n\r\nlines\r\n");
    await system.untilEmpty();
  });

  await t.step("nothing is added to the header of mail from other hosts", async () => {
    const mail = await bare(system);
    for (const line of ADDED) assertNotMatch(mail, line);
  });

  await t.step("a message of 8 MiB passes whole, and one over the limit is refused", async () => {
    const line = "0123456789abcdef".repeat(4).slice(1) + "\n";
    const body = line.repeat(8 * 1024 * 1024 / 64);
    await system.send("big@sink.test", `Subject: big\n\n${body}`);
    await system.until(() => sink.received.length === 2);
    assertStringIncludes(sink.received[1]!.content, body.replaceAll("\n", "\r\n"));

    using client = await system.client();
    const reply = await client.command("MAIL FROM:<s@src.test> SIZE=99999999");
    assertMatch(reply.text, /^552 5\.3\.4 /);
  });

  await t.step("two hundred messages at once all arrive, once", async () => {
    const { accepted } = await load({
      port: system.port,
      sessions: 20,
      messages: 200,
      length: 4096,
      keep: false,
      to: "u1@sink.test",
    });
    const ids = () =>
      sink.received.flatMap(({ content }) => /^X-Load-Id: (\S+)/m.exec(content)?.[1] ?? []);
    await system.until(() => ids().length >= 200);
    assertEquals(ids().toSorted(), accepted.toSorted());
    await system.untilEmpty();
    assert(await system.command(["mailq"]).then((text) => text.includes("Mail queue is empty")));
  });
});

Deno.test("what is missing from the header of mail from this host is added", async () => {
  await using system = await System.start({
    main: "local_header_rewrite_clients = permit_inet_interfaces",
  });
  const mail = await bare(system);
  for (const line of ADDED) assertMatch(mail, line);
});
