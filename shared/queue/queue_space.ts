/** What the queue takes of its disk: how much of the rest new mail may have, and what is kept for when there is no rest. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { warning } from "../log/log.ts";
import { type Disk, diskOf, lengthen, type Reserve } from "./reserve.ts";
import {
  beginLog,
  BUSY_MS,
  databaseFile,
  FRAME_BYTES,
  logFile,
  PAGE_BYTES,
} from "./sqlite_schema.ts";
import { FullDisk, type Room } from "./store.ts";
import type { Transactions } from "./transactions.ts";

/** How long the log is at least, for what changes write before it begins anew: a thousand removals. */
const CHANGES_BYTES = 8 * 1024 * 1024;
/** Of a small disk not more than this part. */
const CHANGES_PART = 1 / 16;
/** With less free than this many times what is kept, somebody else may fill the disk at any time. */
const SCARCE = 4;
/** Less than this is not worth a sync of the disk. */
const WORTH_BYTES = 1024 * 1024;
/** The database is rewritten while no more pages than these are in use, once in so long: everything else waits meanwhile. */
const MAX_USED_PAGES = 4096, REWRITE_MS = 60_000;

export class QueueSpace {
  /** What was kept had to be given up, and is not whole again. */
  strained = false;
  /** As the last look found the disk. */
  isScarce = false;
  /** Since the last look the database could not be made longer. */
  #isFutile = false;
  #pages: StatementSync;
  #freePages: StatementSync;
  #rewrittenAt = -Infinity;

  constructor(
    readonly directory: string,
    readonly db: DatabaseSync,
    readonly transactions: Transactions,
    /** What can be given back at any time. */
    readonly spares: { clear(): void },
    readonly reserve: Reserve,
  ) {
    this.#pages = db.prepare("PRAGMA page_count");
    this.#freePages = db.prepare("PRAGMA freelist_count");
  }

  /** At a start and a stop: takes what has to be kept, as far as it can now. */
  prepare(): void {
    try {
      this.room();
      this.moveGrowth();
    } catch {
      // Whoever asks for room hears why it cannot be seen.
    }
  }

  /**
   * What new mail may have now. Brings what is kept, which it may not have, to what it has to be: a log that changes find place in
   * when it begins anew, and for that as much as it holds beside the database. Throws what the system says.
   */
  room(): Room {
    const disk = diskOf(this.directory), growth = this.#growth();
    // What was given up is not taken back from the changes that needed it before there is twice as much.
    const left = (free: number) => (free - growth) / (this.strained ? 2 : 1);
    const changes = changesBytes(disk);
    const ofLog = this.#lengthenLog(changes, left(disk.free));
    const kept = Math.max(changes, sizeOf(logFile(this.directory)));
    const missing = ofLog + this.reserve.fit(kept, left(diskOf(this.directory).free) - ofLog);
    if (!missing) this.strained = false;
    this.isScarce = disk.free - growth < SCARCE * kept;
    this.#isFutile = false;
    const { free } = diskOf(this.directory);
    return { disk: free - growth - missing, inside: this.#count().freePages * PAGE_BYTES };
  }

  /** After changes: on a scarce disk the database becomes as long as it has to be while it can. */
  moveGrowth(): void {
    try {
      if (!this.isScarce || this.#isFutile || this.#growth() === 0) return;
      this.transactions.checkpoint("PASSIVE");
    } catch {
      // The reserve is for what cannot be moved.
      this.#isFutile = true;
    }
  }

  /**
   * Gives back spare files, the log, and the free pages of a database of which little is in use, as far as that goes now. SQLite
   * could give back some pages of a full one (auto_vacuum), but then every commit writes a page more.
   */
  shrink(): void {
    this.spares.clear();
    try {
      // Nobody is waited for.
      this.db.exec("PRAGMA busy_timeout = 0");
      const log = sizeOf(logFile(this.directory)), changes = changesBytes(diskOf(this.directory));
      // Changes that had to have some of the reserve may have no other space than this.
      if (log > changes + WORTH_BYTES && !this.strained) this.#emptyLog();
      if (this.#isWorthRewriting()) this.#rewrite();
    } catch {
      // What cannot be given back now is left for the next time.
    } finally {
      this.db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    }
  }

  /** Moves what is in the log to the database. Throws what SQLite says. */
  moveLog(): void {
    // On a scarce disk somebody else could take what it has.
    if (this.strained || this.isScarce) this.transactions.checkpoint("PASSIVE");
    else this.#emptyLog();
  }

  /** The same, and gives back what it has beyond what changes need. */
  #emptyLog(): void {
    const bytes = sizeOf(logFile(this.directory));
    this.transactions.checkpoint("TRUNCATE");
    this.#lengthenLog(Math.min(bytes, changesBytes(diskOf(this.directory))), Infinity);
  }

  /**
   * What `run` answers, a change that has to be made: where it throws FullDisk it is tried again, with the log begun anew, without
   * spare files, and at last with less and less of the reserve.
   */
  make<T>(run: () => T): T {
    for (let tries = 1;; tries++) {
      try {
        return run();
      } catch (error) {
        if (!(error instanceof FullDisk)) throw error;
        if (tries === 1) this.spares.clear();
        else if (!this.#giveUp()) throw error;
        this.#beginLogAnew();
      }
    }
  }

  /** As `lengthen`. A reader that may not write opens no database beside a log that has something in it, but not SQLite's header. */
  #lengthenLog(bytes: number, free: number): number {
    const log = logFile(this.directory);
    try {
      if (sizeOf(log) === 0 && free >= bytes) this.transactions.run(() => beginLog(this.db));
    } catch {
      return bytes;
    }
    return lengthen(log, bytes, free);
  }

  /** By how much the database's file is longer as soon as what is in the log is there. */
  #growth(): number {
    return Math.max(0, this.#count().pages * PAGE_BYTES - sizeOf(databaseFile(this.directory)));
  }

  #count(): { pages: number; freePages: number } {
    return {
      pages: Number(this.#pages.get()!["page_count"]),
      freePages: Number(this.#freePages.get()!["freelist_count"]),
    };
  }

  #isWorthRewriting(): boolean {
    const { pages, freePages } = this.#count(), used = pages - freePages;
    if (used > Math.min(freePages, MAX_USED_PAGES) || freePages * PAGE_BYTES <= WORTH_BYTES) {
      return false;
    }
    // All that is in use goes through the log.
    const room = Math.max(sizeOf(logFile(this.directory)), diskOf(this.directory).free);
    return used * FRAME_BYTES < room && performance.now() - this.#rewrittenAt > REWRITE_MS;
  }

  #rewrite(): void {
    this.#rewrittenAt = performance.now();
    this.#beginLogAnew();
    this.db.exec("VACUUM");
    this.moveLog();
  }

  #giveUp(): boolean {
    if (!this.reserve.giveUp()) return false;
    if (!this.strained) {
      warning("queue: the disk is full: changes get the space that was kept for them");
    }
    this.strained = true;
    return true;
  }

  #beginLogAnew(): void {
    try {
      this.transactions.checkpoint("PASSIVE");
    } catch {
      // The next try says what is the matter.
    }
  }
}

function changesBytes({ size }: Disk): number {
  return Math.ceil(Math.min(CHANGES_BYTES, size * CHANGES_PART));
}

function sizeOf(path: string): number {
  return Deno.statSync(path).size;
}
