/** Standard error, which may go away while we run: a pipe whose reader has ended, a terminal that was closed. */

import { counter } from "../counters.ts";
import { writeAll } from "../write_all.ts";

const lost = counter("stderr_lost", "writes to standard error that nobody took");

/** Writes all of it; what cannot be written is lost and counted, because the log must not end what it tells of. */
export function toStderr(bytes: Uint8Array): void {
  try {
    writeAll(Deno.stderr, bytes);
  } catch {
    lost.add();
  }
}
