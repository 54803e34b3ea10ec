/**
 * Space kept for a full disk, as a file beside the database: to take mail out of the queue needs space, too. What is in the log
 * has to find place in the database before the log can begin anew, and a start makes files.
 */

import { statfsSync } from "node:fs";
import { dirname, join } from "@std/path";
import { ConfigError } from "../errors.ts";

/** So much is written at a time: everything else waits meanwhile. */
const STEP_BYTES = 8 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
/** What is left is given up by halves, but not by less than this. */
const LEAST_BYTES = 128 * 1024;
/** Where less is free a start may have failed for want of it. */
const FULL_BYTES = 1024 * 1024;

export class Reserve {
  readonly #path: string;

  constructor(directory: string) {
    this.#path = join(directory, "reserve");
  }

  /** Brings it nearer to `bytes`, as `lengthen` does, or to no more than these; answers how many are missing still. */
  fit(bytes: number, free: number): number {
    if (sizeOf(this.#path) > bytes) this.#cut(bytes);
    return lengthen(this.#path, bytes, free);
  }

  /** Gives half of what is left back to the disk, where somebody else may take it at once; false when there is none. */
  giveUp(): boolean {
    const half = sizeOf(this.#path) >> 1;
    return half >= LEAST_BYTES && this.#cut(half) || this.#remove();
  }

  /** What `open` answers, tried again with less of the reserve where the disk is full: it has many names at a start. */
  behind<T>(open: () => T): T {
    for (;;) {
      try {
        return open();
      } catch (error) {
        const isFull = diskOf(dirname(this.#path)).free < FULL_BYTES;
        if (error instanceof ConfigError || !isFull || !this.giveUp()) throw error;
      }
    }
  }

  #cut(bytes: number): boolean {
    try {
      Deno.truncateSync(this.#path, bytes);
      return true;
    } catch {
      return false;
    }
  }

  #remove(): boolean {
    try {
      Deno.removeSync(this.#path);
      return true;
    } catch {
      return false;
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

/** A file system's bytes: those that there are, and those that whoever is not root may have. */
export interface Disk {
  readonly size: number;
  readonly free: number;
}

/** The disk that holds `directory`. Throws what the system says. */
export function diskOf(directory: string): Disk {
  const { bavail, blocks, bsize } = statfsSync(directory);
  return { free: Number(bavail) * Number(bsize), size: Number(blocks) * Number(bsize) };
}

/** A file's bytes; 0 where there is none. */
function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}
