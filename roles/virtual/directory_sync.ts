/** Makes new names in a directory durable: deliveries that come together share one fsync. */

import { closeSync, fsync, openSync } from "node:fs";
import { promisify } from "node:util";

/** At most this many directories are synced at once: each holds a thread. */
const MAX_RUNNING = 16;

interface Waiting {
  readonly done: Promise<void>;
  begin(): void;
}

/** One fsync of a directory is under way at a time, and one more waits: it is for all who ask until it begins. */
export class DirectorySync {
  #running = new Set<string>();
  #waiting = new Map<string, Waiting>();

  constructor(readonly fsync: (path: string) => Promise<void> = fsyncDirectory) {}

  /** Resolves when every name that was in the directory at the time of the call is on disk. */
  sync(path: string): Promise<void> {
    const waiting = this.#waiting.get(path);
    if (waiting) return waiting.done;
    if (!this.#running.has(path) && this.#running.size < MAX_RUNNING) return this.#run(path);
    let begin!: () => void;
    const turn = new Promise<void>((resolve) => (begin = resolve));
    const done = turn.then(() => this.#run(path));
    this.#waiting.set(path, { done, begin });
    return done;
  }

  async #run(path: string): Promise<void> {
    this.#running.add(path);
    try {
      await this.fsync(path);
    } finally {
      this.#running.delete(path);
      this.#next();
    }
  }

  /** Begins whoever has waited longest and may begin now. */
  #next(): void {
    for (const [path, { begin }] of this.#waiting) {
      if (this.#running.size >= MAX_RUNNING) return;
      if (this.#running.has(path)) continue;
      // Who asks from here on has to wait for the next one: its name may come too late for this.
      this.#waiting.delete(path);
      this.#running.add(path);
      begin();
    }
  }
}

const syncFile = promisify(fsync);

/** fsync of a directory; throws what the system says. */
async function fsyncDirectory(path: string): Promise<void> {
  const directory = openSync(path, "r");
  try {
    await syncFile(directory);
  } finally {
    closeSync(directory);
  }
}
