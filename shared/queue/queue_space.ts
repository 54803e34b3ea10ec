/** What the queue takes of its disk: how much of the rest new mail may have, and what is kept for when there is no rest. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { statfsSync } from "node:fs";
import { warning } from "../log/log.ts";
import type { ContentFiles } from "./content_files.ts";
import type { Reserve } from "./reserve.ts";
import { databaseFile, logFile, PAGE_BYTES } from "./sqlite_schema.ts";
import { FullDisk, type Room } from "./store.ts";
import type { Transactions } from "./transactions.ts";

/** What changes may need of the log, or a start, while there is none that begins anew: a thousand removals. */
const CHANGES_BYTES = 8 * 1024 * 1024;
/** Of a small disk not more than this part. */
const CHANGES_PART = 1 / 16;

export class QueueSpace {
  /** What was kept had to be given up, and is not whole again. */
  strained = false;
  #pages: StatementSync;

  constructor(
    readonly directory: string,
    readonly db: DatabaseSync,
    readonly transactions: Transactions,
    readonly files: ContentFiles,
    readonly reserve: Reserve,
  ) {
    this.#pages = db.prepare("PRAGMA page_count");
  }

  /** At start: begins to take what has to be kept. */
  prepare(): void {
    try {
      this.room();
    } catch {
      // Whoever asks for room hears why it cannot be seen.
    }
  }

  /** What new mail may have now. Brings the reserve, which it may not have, to what it has to be. Throws what the system says. */
  room(): Room {
    const { free, size } = diskOf(this.directory);
    const pages = Number(this.#pages.get()!["page_count"]);
    // The database's file is that much longer as soon as what is in the log is there.
    const growth = Math.max(0, pages * PAGE_BYTES - sizeOf(databaseFile(this.directory)));
    const kept = sizeOf(logFile(this.directory)) + Math.min(CHANGES_BYTES, size * CHANGES_PART);
    // What was given up is not taken back from the changes that needed it before there is twice as much.
    const left = (free - growth) / (this.strained ? 2 : 1);
    const missing = this.reserve.fit(Math.ceil(kept), left);
    if (!missing) this.strained = false;
    return { disk: diskOf(this.directory).free - growth - missing };
  }

  /**
   * What `run` answers, a change that has to be made: where it throws FullDisk it is tried again, with the log begun anew, without
   * spare files, and at last without the reserve.
   */
  make<T>(run: () => T): T {
    for (let tries = 1;; tries++) {
      try {
        return run();
      } catch (error) {
        if (!(error instanceof FullDisk) || tries > 2) throw error;
        if (tries === 1) this.files.clear();
        else this.#giveUp();
        this.#moveLog();
      }
    }
  }

  #giveUp(): void {
    if (!this.reserve.giveUp()) return;
    this.strained = true;
    warning("queue: the disk is full: changes get the space that was kept for them");
  }

  #moveLog(): void {
    try {
      this.transactions.checkpoint();
    } catch {
      // The next try says what is the matter.
    }
  }
}

function diskOf(directory: string): { free: number; size: number } {
  const { bavail, blocks, bsize } = statfsSync(directory);
  return { free: Number(bavail) * Number(bsize), size: Number(blocks) * Number(bsize) };
}

function sizeOf(path: string): number {
  return Deno.statSync(path).size;
}
