/** The log file: opened at the first line, appended to. When somebody moves it away, the supervisor starts another postlogd. */

import { reason } from "../../shared/errors.ts";
import { writeAll } from "../../shared/write_all.ts";

/** The mode of a new file. */
const MODE = 0o640;

export class LogFile {
  #file: Deno.FsFile | undefined;

  constructor(readonly path: string) {}

  /** Appends whole lines; throws when they cannot be written, in part perhaps. */
  write(bytes: Uint8Array): void {
    const file = this.#file ??= open(this.path);
    try {
      writeAll(file, bytes);
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
}

function open(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { append: true, create: true, mode: MODE });
  } catch (error) {
    throw new Error(`open ${path}: ${reason(error)}`);
  }
}
