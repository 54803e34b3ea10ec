/** Whoever reads what the system prints goes away: `serve | head`, a log daemon that restarts, a terminal that is closed. */

import { assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { READY } from "../../roles/supervisor/main.ts";
import { postern, root, System } from "../support/system.ts";

Deno.test("mail flows when nobody reads standard output and standard error any more", async () => {
  await using system = await System.prepare();
  // Another spelling: node's spawn() makes its own command of Deno's.
  const deno = Deno.execPath().replace(/\/deno$/, "/./deno");
  const args = [...postern, "serve", "-c", system.configuration];
  const child = spawn(deno, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const ended = once(child, "exit");
  try {
    let shown = "";
    child.stdout!.setEncoding("utf8").on("data", (text) => shown += text);
    await system.until(() => shown.includes(READY));
    child.stdout!.destroy();
    child.stderr!.destroy();
    for (let n = 1; n <= 3; n++) {
      await system.send("u1@box.test");
      await system.until(() => system.maildir("u1").length === n);
    }
    process.kill(child.pid!, "SIGTERM");
    assertEquals(await ended, [0, null]);
  } finally {
    child.kill("SIGKILL");
  }
});
