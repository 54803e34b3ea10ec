/**
 * Signals that reach more than the supervisor: Ctrl-C goes to every process of the terminal, a service manager may signal a
 * whole group. The system ends in its order all the same.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { peerTest } from "../support/peers.ts";
import { postern, root, System } from "../support/system.ts";

/** Runs its arguments on a terminal of their own: standard input is what is typed, standard output what is shown. */
const TERMINAL = `
import os, pty, select, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    ready, _, _ = select.select([terminal, 0], [], [])
    if 0 in ready:
        os.write(terminal, os.read(0, 100))
    if terminal in ready:
        try:
            shown = os.read(terminal, 4096)
        except OSError:
            break
        os.write(1, shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
`;
const CTRL_C = "\x03";

/** Starts the system by this command, signals it while a client sends content, and waits for its end. */
async function interrupted(
  system: System,
  command: readonly string[],
  signal: (child: ChildProcess) => void,
): Promise<void> {
  const [program, ...args] = [...command, "serve", "-c", system.configuration];
  const child = spawn(program!, args, { cwd: root, stdio: "pipe", detached: true });
  const ended = once(child, "exit");
  let shown = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text) => shown += text);
  }
  try {
    await system.until(() => shown.includes("Postern is ready"));
    using client = await system.client();
    for (const line of ["MAIL FROM:<s@src.test>", "RCPT TO:<u1@box.test>", "DATA"]) {
      await client.command(line);
    }
    client.write("Subject: half of it\r\n\r\n");
    const from = shown.length;
    signal(child);
    await system.until(() => shown.includes("terminating on signal"));
    // Who is in the middle of a message may finish it.
    assertEquals((await client.command("the other half\r\n.")).code, 250);
    assertMatch((await client.reply()).text, /^421 4\.3\.2 /);
    const [code] = await ended;
    const log = shown.slice(from);
    assertEquals([code, /warning|killed|fatal/.test(log)], [0, false], log);
  } finally {
    child.kill("SIGKILL");
  }
}

peerTest("Ctrl-C in a terminal ends the system in its order", ["python3"], async ({ python3 }) => {
  await using system = await System.prepare();
  const command = [python3, "-c", TERMINAL, Deno.execPath(), ...postern];
  await interrupted(system, command, (child) => child.stdin!.write(CTRL_C));
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} to the whole process group ends the system in its order`, async () => {
    await using system = await System.prepare();
    // Another spelling: node's spawn() makes its own command of Deno's.
    const deno = Deno.execPath().replace(/\/deno$/, "/./deno");
    await interrupted(system, [deno, ...postern], (child) => process.kill(-child.pid!, signal));
  });
}
