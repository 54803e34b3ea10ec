/** `start`: the mail system in the background, as `postfix start`. */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { ConfigError, EX } from "../../shared/errors.ts";
import { logsToService } from "../supervisor/plans.ts";
import { READY } from "../supervisor/main.ts";
import { SOURCE } from "../supervisor/runtime.ts";
import { type CommandIo, loadForCommand, takeConfigDirectory } from "./io.ts";

/** A start that takes longer goes on, but nobody waits for it. */
const READY_MS = 30_000;
const LOOK_MS = 50;

/** Runs `serve` in a session of its own; returns when it is ready, or with what it said and its exit code. */
export async function start(args: string[], io: CommandIo): Promise<number> {
  const configuration = loadForCommand(io, takeConfigDirectory(args, io).directory);
  if (!logsToService(configuration)) {
    throw new ConfigError("its log would be lost: set maillog_file or syslog_socket, or use serve");
  }
  const output = await Deno.makeTempFile({ prefix: "postern-start-" });
  try {
    const code = await ready(serveInBackground(configuration.directory, output), output);
    if (code !== EX.OK) io.err(await Deno.readTextFile(output));
    return code;
  } finally {
    await Deno.remove(output);
  }
}

/** What it prints goes to the file. */
function serveInBackground(directory: string, output: string): ChildProcess {
  const file = openSync(output, "a");
  // The task says what rights the supervisor has.
  const words = Deno.build.standalone ? ["serve"] : ["task", "--quiet", "serve"];
  const child = spawn(Deno.execPath(), [...words, "-c", directory], {
    cwd: SOURCE,
    detached: true,
    stdio: ["ignore", file, file],
  });
  child.unref();
  closeSync(file);
  return child;
}

/** EX.OK when it says that it is ready, its exit code when it ends before, EX.TEMPFAIL when it takes too long. */
async function ready(child: ChildProcess, output: string): Promise<number> {
  for (const end = performance.now() + READY_MS; performance.now() < end;) {
    if ((await Deno.readTextFile(output)).includes(READY)) return EX.OK;
    if (child.exitCode !== null) return child.exitCode || EX.SOFTWARE;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return EX.TEMPFAIL;
}
