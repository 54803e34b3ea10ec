/**
 * Content files that no message needs any more, kept to be written over. Making, filling, syncing and removing a file of
 * 1 MiB costs several milliseconds where the file system has to find, log and discard its blocks; writing over one, a
 * fraction of that. What they hold was delivered; they stay as private as the queue, and no start or stop leaves any.
 */

import { join } from "@std/path";

/** What they may take of the disk together. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_FILES = 1000;
/** Larger files are removed: one large message must not take the place of many. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

interface Spare {
  readonly name: string;
  readonly size: number;
}

export class SpareFiles {
  #spares: Spare[] = [];
  #bytes = 0;
  #made = 0;

  constructor(readonly directory: string) {}

  /** Takes over the file at `path`; false when it has to be removed. Throws what the system says. */
  take(path: string): boolean {
    const { size } = Deno.statSync(path);
    if (size > MAX_FILE_BYTES || this.#bytes + size > MAX_BYTES) return false;
    if (this.#spares.length >= MAX_FILES) return false;
    // Not a queue id: what a crash leaves of it is an orphan.
    const name = join(this.directory, `spare-${this.#made++}`);
    Deno.renameSync(path, name);
    this.#spares.push({ name, size });
    this.#bytes += size;
    return true;
  }

  /**
   * Gives one the name `path`; false when there is none that could have it. Its bytes are there until they are written over.
   * Throws AlreadyExists, and keeps its spares, when the name is taken.
   */
  give(path: string): boolean {
    for (let spare = this.#spares.at(-1); spare; spare = this.#spares.at(-1)) {
      const given = link(spare.name, path);
      this.#spares.pop();
      this.#bytes -= spare.size;
      tryToRemove(spare.name);
      if (given) return true;
    }
    return false;
  }

  /** Gives all the space back. */
  clear(): void {
    this.#bytes = 0;
    for (const { name } of this.#spares.splice(0)) tryToRemove(name);
  }
}

/** False for a file that is not what it was, whatever became of it: it is of no use any more. */
function link(from: string, to: string): boolean {
  try {
    // Renaming would replace what is there.
    Deno.linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    return false;
  }
}

/** Removes a file; the next start removes what cannot be removed now. */
export function tryToRemove(name: string): void {
  try {
    Deno.removeSync(name);
  } catch {
    // As above.
  }
}
