/**
 * Content files that no message needs any more, kept to be written over. Making, filling, syncing and removing a file of
 * 1 MiB costs several milliseconds where the file system has to find, log and discard its blocks; writing over one, a
 * fraction of that. What they hold was delivered; they stay as private as the queue, and no start or stop leaves any.
 */

import { join } from "@std/path";

const MAX_FILES = 32;
/** Larger files are removed: one large message must not take the disk for good. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

export class SpareFiles {
  #names: string[] = [];
  #made = 0;

  constructor(readonly directory: string) {}

  /** Takes over the file at `path`; false when it has to be removed. Throws what the system says. */
  take(path: string): boolean {
    if (this.#names.length >= MAX_FILES) return false;
    if (Deno.statSync(path).size > MAX_FILE_BYTES) return false;
    // Not a queue id: what a crash leaves of it is an orphan.
    const name = join(this.directory, `spare-${this.#made++}`);
    Deno.renameSync(path, name);
    this.#names.push(name);
    return true;
  }

  /** Gives one the name `path`, which must be free; false when there is none. Its bytes are there until they are written over. */
  give(path: string): boolean {
    const name = this.#names.at(-1);
    if (!name) return false;
    // Renaming would replace what is there.
    Deno.linkSync(name, path);
    this.#names.pop();
    Deno.removeSync(name);
    return true;
  }

  /** Gives all the space back. */
  clear(): void {
    for (const name of this.#names.splice(0)) {
      try {
        Deno.removeSync(name);
      } catch {
        // The next start removes it.
      }
    }
  }
}
