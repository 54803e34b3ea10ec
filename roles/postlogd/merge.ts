/**
 * The order of the log. Each role says its lines when they happen and ships them a little later, several at a time; here
 * they wait for those of others that were said before.
 */

import { type Said, timeOf } from "../../shared/log/said.ts";

/** Lines wait so long for others: longer than a role keeps its own back. */
const HOLD_MS = 200;
/** Lines are put in order and written no more often than this: what that costs is as much for one as for a hundred. */
const REST_MS = 100;
/** More lines than this are not kept waiting. */
const MAX_HELD = 50_000;

interface Held {
  readonly said: Said;
  readonly arrived: number;
  /** The first line that is not written. */
  next: number;
  readonly written: () => void;
}

export class Merge {
  #held: Held[] = [];
  #lines = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `write` takes lines in the order in which they were said. */
  constructor(
    readonly write: (lines: string[]) => void,
    readonly now: () => number = () => performance.now(),
  ) {}

  /** Takes lines of one role; resolves when they are written. */
  add(said: Said): Promise<void> {
    if (!said.lines.length) return Promise.resolve();
    return new Promise((written) => {
      this.#held.push({ said, arrived: this.now(), next: 0, written });
      this.#lines += said.lines.length;
      if (this.#lines > MAX_HELD) this.flush();
      else this.#timer ??= setTimeout(() => this.#release(), HOLD_MS);
    });
  }

  /** Writes all that waits. */
  flush(): void {
    this.#writeUpTo(Infinity);
  }

  /** Writes what has waited long enough, and all that was said before. */
  #release(): void {
    this.#timer = undefined;
    const ripe = this.now() - HOLD_MS;
    let latest = -Infinity;
    for (const { said, arrived } of this.#held) {
      if (arrived <= ripe) latest = Math.max(latest, timeOf(said, said.lines.length - 1));
    }
    this.#writeUpTo(latest);
  }

  #writeUpTo(latest: number): void {
    const due: { time: number; line: string }[] = [];
    for (const held of this.#held) {
      const { said } = held;
      for (; held.next < said.lines.length; held.next++) {
        const time = timeOf(said, held.next);
        if (time > latest) break;
        due.push({ time, line: said.lines[held.next]! });
      }
    }
    due.sort((a, b) => a.time - b.time);
    this.#lines -= due.length;
    if (due.length) this.write(due.map(({ line }) => line));
    const done = this.#held.filter(({ said, next }) => next === said.lines.length);
    this.#held = this.#held.filter(({ said, next }) => next < said.lines.length);
    for (const { written } of done) written();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const first = this.#held[0];
    if (!first) return;
    const wait = Math.max(REST_MS, first.arrived + HOLD_MS - this.now());
    this.#timer = setTimeout(() => this.#release(), wait);
  }
}
