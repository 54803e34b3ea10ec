/**
 * Makes files, and names in directories, durable: in rounds. What is asked for while the syncs of one round are under way
 * begins together in the next, so that it shares what each would cost alone: a commit of the file system's journal, the
 * blocks where inodes and names stand next to each other, a thread that wakes and sleeps again.
 */

import { closeSync, fsync, openSync } from "node:fs";
import { promisify } from "node:util";

/** At most so many syncs are under way at once: each holds a thread. */
const MAX_UNDER_WAY = 64;
/** A round is not waited for any longer: one mailbox on a disk that hangs must not hold up those on others. */
const PATIENCE_MS = 100;

/** What the system syncs; a test has its own. */
export interface Disk {
  file(descriptor: number): Promise<void>;
  directory(path: string): Promise<void>;
}

interface Waiting {
  readonly begin: () => Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** The directory, where it is one. */
  readonly path: string | undefined;
}

/** Syncs that began together. */
interface Round {
  /** Those that have not ended. */
  left: number;
  patience?: ReturnType<typeof setTimeout>;
}

export class SyncRounds {
  #waiting: Waiting[] = [];
  /** Of those that wait, the directories. */
  #directories = new Map<string, Promise<void>>();
  #underWay = 0;
  /** The one that is waited for. */
  #round: Round | undefined;
  #scheduled = false;

  constructor(readonly disk: Disk = DISK, readonly patienceMs = PATIENCE_MS) {}

  /** Resolves when what was written to the file before the call is on disk; throws what the system says. */
  file(descriptor: number): Promise<void> {
    return this.#add(() => this.disk.file(descriptor));
  }

  /** Resolves when every name that was in the directory at the time of the call is on disk; throws what the system says. */
  directory(path: string): Promise<void> {
    const waiting = this.#directories.get(path);
    if (waiting) return waiting;
    const done = this.#add(() => this.disk.directory(path), path);
    this.#directories.set(path, done);
    return done;
  }

  #add(begin: () => Promise<void>, path?: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ begin, resolve, reject, path });
      this.#schedule();
    });
  }

  /** What the end of the last round brings forth belongs to the next. */
  #schedule(): void {
    if (this.#scheduled || this.#round || !this.#waiting.length) return;
    this.#scheduled = true;
    setImmediate(() => this.#begin());
  }

  #begin(): void {
    this.#scheduled = false;
    const begun = this.#waiting.splice(0, MAX_UNDER_WAY - this.#underWay);
    if (!begun.length) return; // The end of one that hangs comes back here.
    const round: Round = this.#round = { left: begun.length };
    round.patience = setTimeout(() => this.#leave(round), this.patienceMs);
    this.#underWay += begun.length;
    for (const each of begun) {
      if (each.path !== undefined) this.#directories.delete(each.path);
      each.begin().then(each.resolve, (error) => this.#fail(each, error))
        .finally(() => this.#ended(round));
    }
  }

  /** What a directory's sync has lost, its next one may not notice: whoever waits for that hears of it, too. */
  #fail({ path, reject }: Waiting, error: unknown): void {
    reject(error);
    const alike = path === undefined ? -1 : this.#waiting.findIndex((each) => each.path === path);
    if (alike < 0) return;
    this.#directories.delete(path!);
    this.#waiting.splice(alike, 1)[0]!.reject(error);
  }

  #ended(round: Round): void {
    this.#underWay--;
    if (--round.left === 0) this.#leave(round);
    else this.#schedule();
  }

  /** The round is over, or has taken too long: the next one may begin. */
  #leave(round: Round): void {
    clearTimeout(round.patience);
    if (this.#round === round) this.#round = undefined;
    this.#schedule();
  }
}

const syncFile = promisify(fsync);

const DISK: Disk = {
  file: (descriptor) => syncFile(descriptor),
  async directory(path) {
    const directory = openSync(path, "r");
    try {
      await syncFile(directory);
    } finally {
      closeSync(directory);
    }
  },
};
