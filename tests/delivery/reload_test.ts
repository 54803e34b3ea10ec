/** A reload that changes what a role may do, where it logs, or that is asked for twice at once. */

import { assertEquals, assertMatch } from "@std/assert";
import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";

/** The only qmgr there is. */
function qmgr(system: System): number {
  const [pid, ...others] = system.processes("qmgr");
  assertEquals(others, []);
  return pid!;
}

Deno.test("a reload leaves qmgr running when its rights stay the same", async () => {
  await using system = await System.start();
  const before = qmgr(system);
  await system.configure({ main: "smtpd_banner = $myhostname again" });
  await system.command(["reload"]);
  assertEquals(qmgr(system), before);
});

Deno.test("a transport that a reload adds delivers, and no client is refused meanwhile", async () => {
  await using sink = await Sink.start();
  await using system = await System.start();
  await system.configure({
    sink: `slow:[127.0.0.1]:${sink.port}`,
    master: "slow unix - - n - - smtp",
  });
  const reloading = system.command(["reload"]);
  for (let n = 0; n < 5; n++) await system.send("u1@box.test");
  await reloading;
  await system.send("u1@sink.test");
  await system.until(() => sink.count === 1);
  await system.until(() => system.maildir("u1").length === 5);
});

Deno.test("a log file and a name for the log that a reload gives are every role's", async () => {
  await using system = await System.start();
  await system.logDirectory();
  const log = `${system.directory}/log/maillog`;
  await system.configure({
    main: `maillog_file = ${log}\nmaillog_file_prefixes = ${system.directory}\nsyslog_name = mail`,
  });
  await system.command(["reload"]);
  await system.send("u1@box.test");
  await system.until(() => /mail\/qmgr\[\d+\]: \w+: removed/.test(Deno.readTextFileSync(log)));
  await system.stop();
  assertMatch(
    Deno.readTextFileSync(log),
    /mail\/smtpd\[\d+\]: disconnect[^]*mail\/master\[\d+\]: terminating/,
  );
});

Deno.test("reloads that are asked for at once are made one after the other", async () => {
  await using system = await System.start();
  await system.configure({ main: "smtpd_banner = $myhostname again" });
  await Promise.all([1, 2, 3].map(() => system.command(["reload"])));
  await system.send("u1@box.test");
  await system.until(() => system.processes("smtpd").length === 1);
});
