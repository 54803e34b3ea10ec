/** `start`: the mail system in the background, as `postfix start`. */

import { type ChildProcess, spawn } from "node:child_process";
import { ConfigError, EX } from "../../shared/errors.ts";
import { READY } from "../supervisor/main.ts";
import { logsToService } from "../supervisor/plans.ts";
import { SOURCE } from "../supervisor/runtime.ts";
import type { CommandIo } from "./io.ts";
import { usableConfiguration } from "./serve.ts";

/** A start that takes longer goes on, but nobody waits for it. */
const READY_MS = 30_000;

/** Runs `serve` in a session of its own; returns when it is ready, or with what it said and its exit code. */
export async function start(given: string[], io: CommandIo): Promise<number> {
  const usable = usableConfiguration("start", given, io);
  if (typeof usable === "number") return usable;
  const { configuration } = usable;
  if (!logsToService(configuration)) {
    throw new ConfigError("its log would be lost: set maillog_file or syslog_socket, or use serve");
  }
  const child = serveInBackground(configuration.directory);
  const { code, said } = await ready(child);
  // From here on nobody reads what it prints; its log is elsewhere.
  child.stdout!.destroy();
  child.stderr!.destroy();
  // Its warnings are here already.
  if (code !== EX.OK) io.err(said.replace(/^serve: warning: .*\n/gm, ""));
  return code;
}

function serveInBackground(directory: string): ChildProcess {
  // The task says what rights the supervisor has.
  const words = Deno.build.standalone ? ["serve"] : ["task", "--quiet", "serve"];
  const child = spawn(Deno.execPath(), [...words, "-c", directory], {
    cwd: SOURCE,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.unref();
  return child;
}

/** EX.OK when it says that it is ready, its exit code when it ends before, EX.TEMPFAIL when it takes too long. */
function ready(child: ChildProcess): Promise<{ code: number; said: string }> {
  return new Promise((resolve) => {
    let said = "";
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text) => {
        said += text;
        if (said.includes(READY)) resolve({ code: EX.OK, said });
      });
    }
    child.on("close", (code) => resolve({ code: code || EX.SOFTWARE, said }));
    setTimeout(() => {
      said += `start: not ready after ${READY_MS / 1000} s, and goes on: see "postern status"\n`;
      resolve({ code: EX.TEMPFAIL, said });
    }, READY_MS);
  });
}
