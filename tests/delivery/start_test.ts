/** The system in the background: `start` returns when mail can be sent, and says why when it cannot. */

import { assert, assertRejects } from "@std/assert";
import { existsSync } from "node:fs";
import { System } from "../support/system.ts";

/** A system with a log file: nobody sees what one in the background prints. */
async function prepared(): Promise<System> {
  const system = await System.prepare();
  await system.logDirectory();
  await system.configure({
    main: `maillog_file = ${system.directory}/log/maillog\n` +
      "process_id_directory = elsewhere\nrelayhots = [10.0.0.1]",
  });
  return system;
}

Deno.test("start returns when the system is ready, which stays, and its process id in its file, until it is stopped", async () => {
  await using system = await prepared();
  const pidFile = `${system.queue}/elsewhere/master.pid`;
  await system.command(["start"]);
  try {
    const log = `${system.directory}/log/maillog`;
    await system.until(() =>
      /warning: \S+, line \d+: relayhots: /.test(Deno.readTextFileSync(log))
    );
    assert(Number(await Deno.readTextFile(pidFile)) > 1);
    await system.send("u1@box.test");
    await system.until(() => system.maildir("u1").length === 1);
    await assertRejects(() => system.command(["start"]), Error, "is already running");
  } finally {
    await system.command(["stop"]);
  }
  await assertRejects(() => system.command(["status"]), Error, "not running");
  await system.until(() => !existsSync(pidFile));
});

Deno.test("start says what serve would say of a configuration that cannot be used", async () => {
  await using system = await prepared();
  const good = await Deno.readTextFile(`${system.configuration}/main.cf`);
  await Deno.writeTextFile(`${system.configuration}/main.cf`, `${good}mynetworks = nonsense\n`);
  await assertRejects(() => system.command(["start"]), Error, "mynetworks: must be a network");
});

Deno.test("start refuses to lose the log", async () => {
  await using system = await System.prepare();
  await assertRejects(() => system.command(["start"]), Error, "set maillog_file or syslog_socket");
});
