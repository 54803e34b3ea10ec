/** What is the same for the directories of the queue: the database's, and those of contents. */

import { join } from "@std/path";
import { reason } from "../errors.ts";
import { warning } from "../log/log.ts";

/** Makes it, for its owner alone. */
export function makeDirectory(path: string): void {
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** Removes every file whose name is not kept, as far as that can be done; returns how many there were. */
export function sweepDirectory(directory: string, isKept: (name: string) => boolean): number {
  let removed = 0;
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    // As lost+found is.
    if (isDirectory || isKept(name)) continue;
    const path = join(directory, name);
    try {
      Deno.removeSync(path);
      removed++;
    } catch (error) {
      warning(`remove ${path}, which no message names: ${reason(error)}`);
    }
  }
  return removed;
}

/** The names of new files are durable only when their directory is. */
export function syncDirectorySync(path: string): void {
  using directory = Deno.openSync(path, { read: true });
  directory.syncSync();
}

/** The same, off the event loop. */
export async function syncDirectory(path: string): Promise<void> {
  using directory = Deno.openSync(path, { read: true });
  await directory.sync();
}
