/**
 * Space kept for a full disk, as a file beside the database: to take mail out of the queue needs space, too. What is in the log
 * has to find place in the database before the log can begin anew, and a start makes files.
 */

import { join } from "@std/path";
import { ConfigError } from "../errors.ts";

/** So much is written at a time: everything else waits meanwhile. */
const STEP_BYTES = 8 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
/** What is left is given up by halves, but not by less than this. */
const LEAST_BYTES = 128 * 1024;

export class Reserve {
  readonly #path: string;

  constructor(directory: string) {
    this.#path = join(directory, "reserve");
  }

  /** Brings it nearer to `bytes`, as `lengthen` does, or to no more than these; answers how many are missing still. */
  fit(bytes: number, free: number): number {
    if (sizeOf(this.#path) > bytes) Deno.truncateSync(this.#path, bytes);
    return lengthen(this.#path, bytes, free);
  }

  /** Gives half of what is left back to the disk, where somebody else may take it at once; false when there is none. */
  giveUp(): boolean {
    const half = sizeOf(this.#path) >> 1;
    try {
      if (half < LEAST_BYTES) Deno.removeSync(this.#path);
      else Deno.truncateSync(this.#path, half);
      return true;
    } catch {
      return false;
    }
  }

  /** What `open` answers, tried again with less of the reserve when it fails: a full disk has many names at a start. */
  behind<T>(open: () => T): T {
    for (;;) {
      try {
        return open();
      } catch (error) {
        if (error instanceof ConfigError || !this.giveUp()) throw error;
      }
    }
  }
}

/**
 * Brings a file nearer to `bytes`, by a step at most, and only where all that is missing is `free`; answers how much still is.
 * What is added has no meaning.
 */
export function lengthen(path: string, bytes: number, free: number): number {
  const missing = bytes - sizeOf(path);
  try {
    if (missing > 0 && free >= missing) append(path, Math.min(missing, STEP_BYTES));
  } catch {
    // What is missing is answered.
  }
  return Math.max(0, bytes - sizeOf(path));
}

function append(path: string, bytes: number): void {
  using file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
  // A file system that compresses would keep no space for zeros.
  const piece = crypto.getRandomValues(new Uint8Array(PIECE_BYTES));
  for (let left = bytes; left > 0;) {
    left -= file.writeSync(piece.subarray(0, Math.min(left, PIECE_BYTES)));
  }
}

/** A file's bytes; 0 where there is none. */
function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}
