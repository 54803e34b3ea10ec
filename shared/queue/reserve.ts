/**
 * Space kept for a full disk, as a file beside the database: to take mail out of the queue needs space, too. What is in the log
 * has to find place in the database before the log can begin anew, and every change needs some of the log.
 */

import { join } from "@std/path";
import { ConfigError } from "../errors.ts";

/** So much is written at a time: everything else waits meanwhile. */
const STEP_BYTES = 4 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;

export class Reserve {
  readonly #path: string;

  constructor(directory: string) {
    this.#path = join(directory, "reserve");
  }

  /** Brings it nearer to `bytes`, by a step at most, and only where all that is missing is `free`; answers how much still is. */
  fit(bytes: number, free: number): number {
    const missing = bytes - this.#size();
    try {
      if (missing < 0) Deno.truncateSync(this.#path, bytes);
      else if (missing > 0 && free >= missing) this.#grow(Math.min(missing, STEP_BYTES));
    } catch {
      // What is missing is answered.
    }
    return Math.max(0, bytes - this.#size());
  }

  /** Gives all of it back to the disk; false when there is none. */
  giveUp(): boolean {
    try {
      Deno.removeSync(this.#path);
      return true;
    } catch {
      return false;
    }
  }

  /** What `open` answers, tried once more without the reserve when it fails: a full disk has many names at a start. */
  behind<T>(open: () => T): T {
    try {
      return open();
    } catch (error) {
      if (error instanceof ConfigError || !this.giveUp()) throw error;
      return open();
    }
  }

  #size(): number {
    try {
      return Deno.statSync(this.#path).size;
    } catch {
      return 0;
    }
  }

  #grow(bytes: number): void {
    using file = Deno.openSync(this.#path, { append: true, create: true, mode: 0o600 });
    // A file system that compresses would keep no space for zeros.
    const piece = crypto.getRandomValues(new Uint8Array(PIECE_BYTES));
    for (let left = bytes; left > 0;) {
      left -= file.writeSync(piece.subarray(0, Math.min(left, PIECE_BYTES)));
    }
  }
}
