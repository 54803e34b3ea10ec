/** Mail finds its way by names, and what happens is in the log file. */

import { assertMatch } from "@std/assert";
import { NameServer } from "../support/name_server.ts";
import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";

Deno.test("mail goes to the host that the name server names, and the log file tells of it", async () => {
  await using sink = await Sink.start();
  await using names = await NameServer.start({
    "sink.test MX": { preference: 10, exchange: "mx.sink.test" },
    "mx.sink.test A": "127.0.0.1",
  });
  await using system = await System.prepare({ sink: `smtp:sink.test:${sink.port}` });
  const log = `${system.directory}/log/maillog`;
  await system.configure({
    sink: `smtp:sink.test:${sink.port}`,
    main: `maillog_file = ${log}\n` +
      `dns_servers = 127.0.0.1:${names.port}`,
  });
  await system.start();
  const id = await system.send("u1@sink.test");
  await system.until(() => sink.received.length === 1);
  const sent = new RegExp(
    `${id}: to=<u1@sink\\.test>, relay=mx\\.sink\\.test\\[127\\.0\\.0\\.1\\]`,
  );
  await system.until(() => sent.test(Deno.readTextFileSync(log)));
  assertMatch(Deno.readTextFileSync(log), new RegExp(`${id}: .*status=sent`));
});
