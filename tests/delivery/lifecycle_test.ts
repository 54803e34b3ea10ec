/** Start, reload and stop under traffic: no refused and no broken connection, nothing lost. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ID_HEADER, load } from "../support/load.ts";
import { Sink } from "../support/sink.ts";
import { SmtpClient } from "../support/smtp.ts";
import { System } from "../support/system.ts";
import { pause } from "../support/waiting.ts";

/**
 * Workers bind their own listeners: what waits in the backlog of one that closes is reset, before its greeting, and its
 * client comes again. Everywhere else the socket outlives its processes.
 */
const IN_WORKERS = Deno.env.get("POSTERN_SANDBOX") === "worker";
const MAX_RESET = 10;

/** A service manager waits so long before it kills. */
const STOP_MS = 10_000;

Deno.test("a reload breaks no session, refuses no connection and puts new values in force", async () => {
  await using sink = await Sink.start();
  const relay = `smtp:[127.0.0.1]:${sink.port}`;
  await using system = await System.start({ sink: relay });
  using open = await system.client();
  await open.command("MAIL FROM:<s@src.test>");
  const reloaded = new AbortController();
  const sending = load({
    port: system.port,
    sessions: 5,
    messages: 100_000,
    length: 4096,
    keep: false,
    to: "u1@sink.test",
    tolerant: IN_WORKERS,
    signal: reloaded.signal,
  });
  await system.configure({ sink: relay, main: "smtpd_banner = $myhostname ESMTP reloaded" });
  await system.command(["reload"]);
  reloaded.abort();
  const { accepted, refused } = await sending; // It throws when a connection is refused or breaks.
  assert(accepted.length > 100);
  assert(refused <= MAX_RESET, `${refused} connections broke`);

  for (const line of ["RCPT TO:<u1@box.test>", "DATA"]) await open.command(line);
  assertEquals((await open.command("Subject: patient\r\n\r\nhello\r\n.")).code, 250);
  await system.until(() => system.maildir("u1").length === 1 && sink.count === accepted.length);
  using fresh = new SmtpClient(system.port);
  assertMatch((await fresh.reply()).text, /^220 mx\.postern\.test ESMTP reloaded/);
});

Deno.test("SIGTERM under load ends it with exit 0 in 10 s, and nothing that got 250 is lost", async () => {
  await using sink = await Sink.start();
  await using system = await System.start({ sink: `smtp:[127.0.0.1]:${sink.port}` });
  const stopped = new AbortController();
  const sending = load({
    port: system.port,
    sessions: 10,
    messages: 100_000,
    length: 4096,
    keep: true,
    to: "u1@sink.test",
    tolerant: true,
    signal: stopped.signal,
  });
  await system.until(() => sink.count > 100);
  const began = Date.now();
  assertEquals(await system.stop(), 0);
  assert(Date.now() - began < STOP_MS, `took ${Date.now() - began} ms`);
  stopped.abort();
  const { accepted } = await sending;
  assert(accepted.length > 100);
  await system.start();
  const arrived = () =>
    new Set(
      sink.received.map(({ content }) =>
        new RegExp(`^${ID_HEADER}: (\\S+)`, "m").exec(content)?.[1]
      ),
    );
  await system.until(() => {
    const here = arrived();
    return accepted.every((id) => here.has(id));
  });
});

Deno.test("a client in the middle of its content is told that the system stops, and the system ends in time", async () => {
  await using system = await System.start();
  using client = await system.client();
  client.write("MAIL FROM:<s@src.test>\r\nRCPT TO:<u1@box.test>\r\nDATA\r\n");
  for (const code of [250, 250, 354]) await client.expect(code);
  client.write("Subject: half");
  const began = Date.now();
  const stopped = system.stop();
  assertMatch(await client.expect(421), /Service shutting down/);
  assertEquals(await stopped, 0);
  assert(Date.now() - began < STOP_MS, `took ${Date.now() - began} ms`);
});

Deno.test("a stop waits for a delivery to a slow server, which is not made again after it", async () => {
  // Five replies: longer than the share of the queue by itself, and shorter than with what the intake leaves it.
  await using sink = await Sink.start({ wait: () => pause(1000) });
  await using system = await System.start({ sink: `smtp:[127.0.0.1]:${sink.port}` });
  await system.send("u1@sink.test");
  await system.until(() => sink.heard.length > 0);
  assertEquals(await system.stop(), 0);
  assertEquals(sink.count, 1);
  await system.start();
  assertEquals(await system.listing(), []);
});
