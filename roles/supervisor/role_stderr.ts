/**
 * What a role writes to its standard error where there is a log: what it could not say otherwise, such as why the runtime ends
 * it. It goes into the log in our name, line by line, so that no role gets at the terminal, the journal, or another's lines.
 */

import type { Readable } from "node:stream";
import { warning } from "../../shared/log/log.ts";
import { MAX_LOG_TEXT } from "../../shared/log/printable.ts";

/** So much of it is read, more than a busy role logs, whose lines come here while there is no postlogd: who writes more waits. */
const BYTES_A_MS = 1024;
/** What a line costs beside its text: short ones must not fill the log either. */
const LINE_BYTES = 100;

/** Logs each line that comes, as what `who` wrote. */
export function logLines(stream: Readable, who: string): void {
  let rest = "";
  const say = (line: string) => {
    if (line) warning(`${who} on standard error: ${line}`);
  };
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    // No more of a line is logged.
    rest = lines.pop()!.slice(0, MAX_LOG_TEXT);
    lines.forEach(say);
    stream.pause();
    setTimeout(() => stream.resume(), (text.length + lines.length * LINE_BYTES) / BYTES_A_MS);
  });
  stream.on("end", () => say(rest));
  // Its end is told by the process's.
  stream.on("error", () => {});
}
