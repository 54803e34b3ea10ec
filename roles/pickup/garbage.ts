/** What is in the maildrop and is no submission: named once in the log, remembered, and in the end removed. */

import { warning } from "../../shared/log/log.ts";
import type { Identity } from "../../shared/maildrop/open_file.ts";

interface Known extends Identity {
  /** It was read, and is wrong. What could not be read may be somebody's mail, and stays. */
  readonly removable: boolean;
}

/** So many files are remembered, so that each is named once; any further one is looked at again and again, unnamed. */
const MAX_REMEMBERED = 100_000;
/** So many are named in one scan; the next scan names the next ones. */
const MAX_NAMED_PER_SCAN = 1000;

export class Garbage {
  #known = new Map<string, Known>();
  /** Those of `#known` that the current scan has met: the others are gone. */
  #met = new Map<string, Known>();
  #named = 0;
  #unnamed = 0;
  #removed = 0;

  /** What was found of a file that has not changed since; undefined when it has to be looked at. */
  find(name: string, file: Identity): Known | undefined {
    const known = this.#met.get(name) ?? this.#known.get(name);
    if (known?.inode !== file.inode || known.changed !== file.changed) return undefined;
    this.#met.set(name, known);
    return known;
  }

  /** Names the file in the log and remembers it. */
  add(name: string, file: Identity, why: string, removable: boolean): void {
    if (this.#named >= MAX_NAMED_PER_SCAN || this.#met.size >= MAX_REMEMBERED) {
      this.#unnamed++;
      return;
    }
    this.#named++;
    const { uid, inode, changed } = file;
    this.#met.set(name, { uid, inode, changed, removable });
    warning(`maildrop/${name}: uid=${file.uid}: no submission: ${why}`);
  }

  /** The file has been removed. */
  removed(name: string): void {
    this.#met.delete(name);
    this.#removed++;
  }

  /** A scan is over: forgets what is gone, and sums up. */
  endScan(): void {
    this.#known = this.#met;
    this.#met = new Map();
    if (this.#unnamed) warning(`maildrop: ${this.#unnamed} more files that are no submissions`);
    if (this.#removed) {
      warning(`maildrop: removed ${this.#removed} files that were no submissions for a day`);
    }
    this.#named = this.#unnamed = this.#removed = 0;
  }
}
