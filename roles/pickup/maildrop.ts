/**
 * The maildrop: what lies there, whose turn it is, and what becomes of each file. Work is done in small steps, so that a
 * directory full of garbage costs a little time in each scan and delays nobody.
 */

import { setTimeout as pause } from "node:timers/promises";
import { reason } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import { FILE_NAME, TEMPORARY_NAME } from "../../shared/maildrop/drop.ts";
import {
  NotASubmission,
  readSubmission,
  type Submission,
  submissionBytes,
} from "../../shared/maildrop/file_format.ts";
import { openSeen, remove, see, type Seen, Unreadable } from "../../shared/maildrop/open_file.ts";
import { Garbage } from "./garbage.ts";
import { Line } from "./waiting_line.ts";

/** A submission that passed the check, open for reading until `submit` resolves. */
export interface Found {
  readonly submission: Submission;
  readonly uid: number;
  /** Milliseconds since the epoch. */
  readonly modified: number;
}

/**
 * What became of a submission. `done`: queued, or reported to its sender; the file goes. `later`: try this one again after
 * a while. `unavailable`: nothing can be submitted now.
 */
export type Fate = "done" | "later" | "unavailable";

export interface MaildropOptions {
  readonly directory: string;
  /** Bytes; Infinity is no limit. */
  readonly messageSizeLimit: number;
  submit(found: Found): Promise<Fate>;
  /** The file of a submission that is done has gone. */
  removed?(found: Found): void;
  /** The time of day; for waits, a time that nobody can set. Milliseconds. */
  readonly now?: () => number;
  readonly steady?: () => number;
}

/** The whole directory is looked at this often, whatever sendmail says. */
const SCAN_MS = 60_000;
/** How often it is seen whether a scan or a retry is due. */
const TICK_MS = 1000;
/** Names that are looked at before others get their turn, and the pause then: garbage costs a tenth of a core at most. */
const NAMES_PER_TURN = 100;
const TURN_PAUSE_MS = 5;
/** Submissions under way at once: enough that the commits of the half that one user may have are joined. */
const SUBMISSIONS_AT_ONCE = 32;
/**
 * A message up to so many times message_size_limit is read, and its sender told; sendmail leaves none above the limit, but
 * the limit may have been lowered since. A larger one is not opened up: without this, sparse files of terabytes would
 * keep us reading for days.
 */
const READ_LIMITS = 2;
/** Garbage is left alone for this long: somebody may still be writing it, or looking for it. */
export const GARBAGE_MS = 24 * 3600 * 1000;
/** The pause after a failure doubles from the first to the second of these. */
const RETRY_MS = [10_000, 600_000] as const;
const UNAVAILABLE_MS = [1000, 60_000] as const;
/** Retries are remembered for so many files; others are tried at each scan. */
const MAX_RETRIES = 10_000;

interface Retry {
  readonly due: number;
  readonly pause: number;
}

export class Maildrop {
  #directory: string;
  #now: () => number;
  #steady: () => number;
  #garbage = new Garbage();
  #line = new Line<string>();
  /** In the line or being submitted. */
  #taken = new Set<string>();
  #retries = new Map<string, Retry>();
  #underWay = 0;
  /** The same by user, without those who have none. */
  #underWayOf = new Map<number, number>();
  #scanning: Promise<void> | undefined;
  #nextScan = 0;
  #unavailable: Retry = { due: 0, pause: 0 };
  #timer: ReturnType<typeof setInterval> | undefined;
  #stopped = false;
  #idle: (() => void) | undefined;

  constructor(readonly options: MaildropOptions) {
    this.#directory = options.directory;
    this.#now = options.now ?? Date.now;
    this.#steady = options.steady ?? (() => performance.now());
  }

  get busy(): boolean {
    return this.#underWay > 0 || this.#scanning !== undefined;
  }

  /** Begins to look at the directory: now, and every `SCAN_MS`. */
  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  /** Takes no more files; resolves when none is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#scanning;
    if (this.#underWay) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  /** Looks at a file that sendmail has just left; at everything when it names none. */
  async wake(file: string): Promise<void> {
    if (FILE_NAME.test(file)) {
      this.#consider(file);
      this.#work();
    } else await this.scan();
  }

  /** Looks at every name once. */
  scan(): Promise<void> {
    this.#nextScan = this.#steady() + SCAN_MS;
    return this.#scanning ??= this.#scan().finally(() => (this.#scanning = undefined));
  }

  #tick(): void {
    const now = this.#steady();
    if (now >= this.#nextScan) this.scan();
    for (const [name, { due }] of this.#retries) if (due <= now) this.#consider(name);
    this.#work();
  }

  async #scan(): Promise<void> {
    let names = 0;
    try {
      for await (const { name } of Deno.readDir(this.#directory)) {
        if (this.#stopped) return;
        this.#consider(name);
        if (++names % NAMES_PER_TURN) continue;
        this.#work();
        await pause(TURN_PAUSE_MS);
      }
    } catch (error) {
      return warning(`maildrop: cannot be read: ${reason(error)}`);
    }
    this.#garbage.endScan();
    this.#work();
  }

  /** Looks at one name: garbage is named, aged garbage removed, the rest gets in line. */
  #consider(name: string): void {
    if (this.#taken.has(name)) return;
    const seen = this.#see(name);
    if (!seen) return void this.#retries.delete(name);
    const known = this.#garbage.find(name, seen);
    if (known) {
      if (known.removable && this.#old(seen)) this.#remove(name);
    } else if (seen.trap) this.#garbage.add(name, seen, seen.trap, false);
    else if (TEMPORARY_NAME.test(name)) {
      // sendmail is writing it, unless it died.
      if (this.#old(seen)) this.#remove(name);
    } else if (!FILE_NAME.test(name)) {
      this.#garbage.add(name, seen, "not a name that sendmail gives", false);
    } else if ((this.#retries.get(name)?.due ?? 0) <= this.#steady()) {
      if (this.#line.add(seen.uid, name)) this.#taken.add(name);
      else this.#nextScan = 0; // No room: look again soon.
    }
  }

  #see(name: string): Seen | undefined {
    try {
      return see(this.#directory, name);
    } catch (error) {
      warning(`maildrop/${name}: ${reason(error)}`);
      return undefined;
    }
  }

  #old(seen: Seen): boolean {
    return this.#now() - seen.changed > GARBAGE_MS;
  }

  #remove(name: string): void {
    if (remove(this.#directory, name)) this.#garbage.removed(name);
  }

  /** Keeps as many submissions under way as may be. */
  #work(): void {
    while (
      !this.#stopped && this.#underWay < SUBMISSIONS_AT_ONCE &&
      this.#unavailable.due <= this.#steady()
    ) {
      const next = this.#line.take((uid) => this.#may(uid));
      if (!next) return;
      const { uid, item: name } = next;
      this.#count(uid, 1);
      this.#take(name).catch((error) => this.#later(name, reason(error))).finally(() => {
        this.#taken.delete(name);
        this.#count(uid, -1);
        if (this.#underWay === 0) this.#idle?.();
        this.#work();
      });
    }
  }

  /** A user has no more under way than it leaves room for: however long its files take, there is room for others. */
  #may(uid: number): boolean {
    return (this.#underWayOf.get(uid) ?? 0) < SUBMISSIONS_AT_ONCE - this.#underWay;
  }

  #count(uid: number, by: 1 | -1): void {
    this.#underWay += by;
    const own = (this.#underWayOf.get(uid) ?? 0) + by;
    if (own) this.#underWayOf.set(uid, own);
    else this.#underWayOf.delete(uid);
  }

  /** Checks one file and submits it. */
  async #take(name: string): Promise<void> {
    // Every file is a turn of its own: a thousand bad ones must not run in one go.
    await pause(0);
    const seen = this.#see(name);
    if (!seen) return;
    let fate: Fate, found: Found;
    try {
      ({ fate, found } = await this.#submit(name, seen));
    } catch (error) {
      if (!(error instanceof NotASubmission)) throw error;
      const removable = !(error instanceof Unreadable);
      if (removable && this.#old(seen)) return this.#remove(name);
      return this.#garbage.add(name, seen, error.message, removable);
    }
    if (fate === "unavailable") return this.#wait();
    this.#unavailable = { due: 0, pause: 0 };
    if (fate === "later") this.#later(name);
    else if (remove(this.#directory, name)) {
      this.#retries.delete(name);
      this.options.removed?.(found);
    } else this.#later(name, "is queued, but cannot be removed");
  }

  async #submit(name: string, seen: Seen): Promise<{ fate: Fate; found: Found }> {
    const file = openSeen(this.#directory, name, seen);
    const { messageSizeLimit } = this.options;
    try {
      if (file.size > submissionBytes(READ_LIMITS * messageSizeLimit)) {
        throw new Unreadable(`larger than ${READ_LIMITS} times message_size_limit`);
      }
      const submission = await readSubmission(file.read, file.size);
      const found = { submission, uid: seen.uid, modified: seen.modified };
      return { fate: await this.options.submit(found), found };
    } finally {
      file.close();
    }
  }

  /** Nothing can be submitted: everything waits, longer each time. */
  #wait(): void {
    const now = this.#steady();
    if (this.#unavailable.due > now) return;
    const pause = longer(this.#unavailable.pause, UNAVAILABLE_MS);
    this.#unavailable = { due: now + pause, pause };
    this.#nextScan = Math.min(this.#nextScan, now + pause);
  }

  #later(name: string, why?: string): void {
    if (why) warning(`maildrop/${name}: ${why}`);
    if (this.#retries.size >= MAX_RETRIES && !this.#retries.has(name)) return;
    const pause = longer(this.#retries.get(name)?.pause ?? 0, RETRY_MS);
    this.#retries.set(name, { due: this.#steady() + pause, pause });
  }
}

function longer(pause: number, [first, last]: readonly [number, number]): number {
  return Math.min(Math.max(pause * 2, first), last);
}
