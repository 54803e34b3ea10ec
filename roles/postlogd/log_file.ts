/** The log file: opened once, appended to, opened again when somebody moved it away. */

import { reason } from "../../shared/errors.ts";

/** How often it is seen whether the file is still where it was. */
const LOOK_MS = 1000;
/** The mode of a new file. */
const MODE = 0o640;

export class LogFile {
  #file: Deno.FsFile | undefined;
  #looked = -Infinity;

  /** `now` is milliseconds on any clock that only goes forward. */
  constructor(readonly path: string, readonly now: () => number = () => performance.now()) {}

  /** Appends whole lines; throws when they cannot be written, in part perhaps. */
  write(bytes: Uint8Array): void {
    const file = this.#current();
    try {
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    } catch (error) {
      // A fresh start next time: the disk may be another one by then.
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #current(): Deno.FsFile {
    const now = this.now();
    if (this.#file && now - this.#looked < LOOK_MS) return this.#file;
    this.#looked = now;
    if (this.#file && !this.#moved(this.#file)) return this.#file;
    try {
      const next = open(this.path);
      this.#file?.close();
      return this.#file = next;
    } catch (error) {
      // Until there is a new file that we may write, the old one is better than none.
      if (this.#file) return this.#file;
      throw error;
    }
  }

  /** True when another file, or none, has the name: logrotate was here. */
  #moved(file: Deno.FsFile): boolean {
    try {
      const [ours, named] = [file.statSync(), Deno.statSync(this.path)];
      return ours.ino !== named.ino || ours.dev !== named.dev;
    } catch (error) {
      return error instanceof Deno.errors.NotFound;
    }
  }
}

function open(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { append: true, create: true, mode: MODE });
  } catch (error) {
    throw new Error(`open ${path}: ${reason(error)}`);
  }
}
