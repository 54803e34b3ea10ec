/** The time of day that qmgr last took for right, kept for the next one: a clock can be set while none runs. */

import { join } from "@std/path";

/** Milliseconds since the epoch; undefined when it is not known. */
export function lastSeen(directory: string): number | undefined {
  try {
    const time = Number(Deno.readTextFileSync(path(directory)));
    return Number.isSafeInteger(time) && time > 0 ? time : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a time; what cannot be written now will be the next time, and is no trouble until then. */
export function keepTime(directory: string, now: number): void {
  try {
    Deno.writeTextFileSync(path(directory), `${now}\n`, { mode: 0o600 });
  } catch {
    // The disk is full or read-only: whoever writes mail says so.
  }
}

function path(directory: string): string {
  return join(directory, "last_seen");
}
