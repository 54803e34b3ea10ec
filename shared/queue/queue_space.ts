/** What the queue takes of its disk: how much of the rest new mail may have, and what is kept for when there is no rest. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { statfsSync } from "node:fs";
import { warning } from "../log/log.ts";
import type { ContentFiles } from "./content_files.ts";
import type { Reserve } from "./reserve.ts";
import { BUSY_MS, databaseFile, logFile, PAGE_BYTES } from "./sqlite_schema.ts";
import { FullDisk, type Room } from "./store.ts";
import type { Transactions } from "./transactions.ts";

/** What changes may need of the log, or a start, while there is none that begins anew: a thousand removals. */
const CHANGES_BYTES = 8 * 1024 * 1024;
/** Of a small disk not more than this part. */
const CHANGES_PART = 1 / 16;
/** Less than this is not worth a sync of the disk. */
const WORTH_BYTES = 1024 * 1024;
/** The database is rewritten while no more pages than these are in use, once in so long: everything else waits meanwhile. */
const MAX_USED_PAGES = 4096, REWRITE_MS = 60_000;

export class QueueSpace {
  /** What was kept had to be given up, and is not whole again. */
  strained = false;
  #pages: StatementSync;
  #freePages: StatementSync;
  #rewrittenAt = -Infinity;

  constructor(
    readonly directory: string,
    readonly db: DatabaseSync,
    readonly transactions: Transactions,
    readonly files: ContentFiles,
    readonly reserve: Reserve,
  ) {
    this.#pages = db.prepare("PRAGMA page_count");
    this.#freePages = db.prepare("PRAGMA freelist_count");
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
    const { pages, freePages } = this.#count();
    // The database's file is that much longer as soon as what is in the log is there.
    const growth = Math.max(0, pages * PAGE_BYTES - sizeOf(databaseFile(this.directory)));
    const kept = sizeOf(logFile(this.directory)) + Math.min(CHANGES_BYTES, size * CHANGES_PART);
    // What was given up is not taken back from the changes that needed it before there is twice as much.
    const left = (free - growth) / (this.strained ? 2 : 1);
    const missing = this.reserve.fit(Math.ceil(kept), left);
    if (!missing) this.strained = false;
    const disk = diskOf(this.directory).free - growth - missing;
    return { disk, inside: freePages * PAGE_BYTES };
  }

  /**
   * Gives back spare files, the log, and the free pages of a database of which little is in use, as far as that goes now. SQLite
   * could give back some pages of a full one (auto_vacuum), but then every commit writes a page more.
   */
  shrink(): void {
    this.files.clear();
    try {
      // Nobody is waited for.
      this.db.exec("PRAGMA busy_timeout = 0");
      if (sizeOf(logFile(this.directory)) > WORTH_BYTES) this.moveLog();
      if (this.#isWorthRewriting()) this.#rewrite();
    } catch {
      // What cannot be given back now is left for the next time.
    } finally {
      this.db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    }
  }

  /** Moves what is in the log to the database. Its space is given back, too, unless changes have no other. Throws what SQLite says. */
  moveLog(): void {
    this.transactions.checkpoint(this.strained ? "PASSIVE" : "TRUNCATE");
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
        this.#beginLogAnew();
      }
    }
  }

  #count(): { pages: number; freePages: number } {
    return {
      pages: Number(this.#pages.get()!["page_count"]),
      freePages: Number(this.#freePages.get()!["freelist_count"]),
    };
  }

  #isWorthRewriting(): boolean {
    const { pages, freePages } = this.#count(), used = pages - freePages;
    const isWorth = freePages * PAGE_BYTES > WORTH_BYTES && used <= freePages;
    return isWorth && used <= MAX_USED_PAGES && performance.now() - this.#rewrittenAt > REWRITE_MS;
  }

  #rewrite(): void {
    this.#rewrittenAt = performance.now();
    this.db.exec("VACUUM");
    this.moveLog();
  }

  #giveUp(): void {
    if (!this.reserve.giveUp()) return;
    this.strained = true;
    warning("queue: the disk is full: changes get the space that was kept for them");
  }

  #beginLogAnew(): void {
    try {
      this.transactions.checkpoint("PASSIVE");
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
