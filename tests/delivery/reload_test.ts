/** A reload that changes what a role may do, where it logs, or that is asked for twice at once. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";
import { pause } from "../support/waiting.ts";

/** The only qmgr there is. */
function qmgr(system: System): number {
  const [pid, ...others] = system.processes("qmgr");
  assertEquals(others, []);
  return pid!;
}

Deno.test("reloads put into force what is new, and leave running what is not", async (t) => {
  await using sink = await Sink.start();
  await using system = await System.start();

  await t.step("qmgr stays when its rights stay the same", async () => {
    const before = qmgr(system);
    await system.configure({ main: "smtpd_banner = $myhostname again" });
    await system.command(["reload"]);
    assertEquals(qmgr(system), before);
  });

  await t.step(
    "of those that are asked for at once one is made, and then one for the others",
    async () => {
      const made = () => system.output.split("reload -- version").length - 1, before = made();
      await system.configure({ main: "smtpd_banner = $myhostname once more" });
      await Promise.all([1, 2, 3, 4, 5, 6].map(() => system.command(["reload"])));
      assert(made() - before < 6, `${made() - before} reloads`);
      await system.send("u1@box.test");
      await system.until(() => system.processes("smtpd").length === 1);
    },
  );

  await t.step(
    "a transport that is added delivers, and no client is refused meanwhile",
    async () => {
      await system.configure({
        sink: `slow:[127.0.0.1]:${sink.port}`,
        master: "slow unix - - n - - smtp",
      });
      const reloading = system.command(["reload"]);
      for (let n = 0; n < 5; n++) await system.send("u2@box.test");
      await reloading;
      await system.send("u1@sink.test");
      await system.until(() => sink.count === 1);
      await system.until(() => system.maildir("u2").length === 5);
    },
  );

  await t.step("a log file and a name for the log are every role's", async () => {
    await system.logDirectory();
    const log = `${system.directory}/log/maillog`;
    await system.configure({
      main: `maillog_file = ${log}\nsyslog_name = mail`,
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
});

Deno.test("a delivery by a transport that a reload removes is finished", async () => {
  const kept = Promise.withResolvers<void>();
  await using sink = await Sink.start({
    wait: ([reply]) => reply === "250 kept" ? kept.promise : undefined,
  });
  await using system = await System.prepare();
  const slow = `slow:[127.0.0.1]:${sink.port}`;
  await system.configure({ sink: slow, master: "slow unix - - n - - smtp" });
  await system.start();
  await system.send("u1@sink.test");
  await system.until(() => sink.count === 1);
  await system.configure({});
  await system.command(["reload"]);
  // Longer than what is not to be finished has at a stop.
  await pause(2500);
  kept.resolve();
  await system.untilEmpty();
  assertEquals(sink.count, 1);
  await system.until(() => system.processes("smtp").length <= 1);
});

Deno.test({
  name: "who may list and flush the queue is who the configuration in force says",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using system = await System.prepare();
    const modes = () =>
      ["showq", "flush"].map((name) =>
        Deno.statSync(`${system.queue}/public/${name}`).mode! & 0o777
      );
    const few = "authorized_mailq_users = root\nauthorized_flush_users = root";
    await system.configure({ main: few });
    await system.start();
    assertEquals(modes(), [0o710, 0o710]);

    // All may, but it is not in force.
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const master = `127.0.0.1:${(taken.addr as Deno.NetAddr).port} inet n - n - - smtpd`;
    await system.configure({ master });
    await assertRejects(() => system.command(["reload"]), Error, "address already in use");
    assertEquals(modes(), [0o710, 0o710]);
    await system.spawn(["policy", "--verify", "cleanup"]).output();
    assertEquals(modes(), [0o710, 0o710]);

    await system.configure({});
    await system.command(["reload"]);
    assertEquals(modes(), [0o755, 0o755]);

    await system.configure({ main: few, master });
    await assertRejects(() => system.command(["reload"]), Error, "address already in use");
    assertEquals(modes(), [0o755, 0o755]);
  },
});
