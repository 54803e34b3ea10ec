/** Mail goes out by LMTP, to a port and to a unix socket; each recipient has its own outcome. */

import { assertEquals, assertMatch } from "@std/assert";
import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";

Deno.test("LMTP delivers to a port of this host", async () => {
  await using sink = await Sink.start({ lmtp: true });
  await using system = await System.start({ sink: `lmtp:inet:127.0.0.1:${sink.port}` });
  await system.send("u1@sink.test");
  await system.until(() => sink.received.length === 1);
  assertMatch(sink.heard[0]!, /^LHLO mx\.postern\.test$/);
  assertEquals(sink.received[0]!.to, ["u1@sink.test"]);
});

Deno.test("LMTP delivers to a unix socket, and takes one outcome for each recipient", async () => {
  const directory = await Deno.makeTempDir({ prefix: "postern-lmtp-" });
  await Deno.chmod(directory, 0o755);
  const path = `${directory}/lmtp`;
  await using sink = await Sink.start({
    lmtp: true,
    path,
    answer: (line) => line === "." ? "250 kept\r\n452 4.2.2 full" : undefined,
  });
  await Deno.chmod(path, 0o777);
  await using system = await System.start({ sink: `lmtp:unix:${path}` });
  using client = await system.client();
  await client.message("s@src.test", ["u1@sink.test", "u2@sink.test"], "Subject: two\n\nhello");
  await system.until(() => sink.received.length === 1);
  await system.until(async () => (await system.listing())[0]?.queue_name === "deferred");
  await system.untilSaid(/to=<u1@sink\.test>.* status=sent/);
  await system.untilSaid(/to=<u2@sink\.test>.* dsn=4\.2\.2, status=deferred/);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("LMTP delivers to a unix socket below queue_directory, which its server may make anew", async () => {
  await using system = await System.prepare({ sink: "lmtp:unix:private/dovecot-lmtp" });
  await system.start();
  const path = `${system.queue}/private/dovecot-lmtp`;
  for (const user of ["u1", "u2"]) {
    await using sink = await Sink.start({ lmtp: true, path });
    await Deno.chmod(path, 0o777);
    await system.send(`${user}@sink.test`);
    await system.until(() => sink.received.length === 1);
    const said = `to=<${user}@sink.test>, relay=mx.postern.test[private/dovecot-lmtp],`;
    await system.until(() => system.output.includes(said));
  }
});
