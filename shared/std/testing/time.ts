/** The part of `@std/testing/time` that is used here: a clock that a test turns by hand. */

/** Replaces `Date.now`, `setTimeout` and `clearTimeout` until restored; time passes only by `tick`. */
export class FakeTime {
  #real = { now: Date.now, set: globalThis.setTimeout, clear: globalThis.clearTimeout };
  #timers = new Map<number, { at: number; run: () => void }>();
  #now: number;
  #next = 1;

  constructor(start: number | Date = Date.now()) {
    this.#now = +start;
    Date.now = () => this.#now;
    globalThis.setTimeout = ((run: () => void, ms = 0) => {
      this.#timers.set(this.#next, { at: this.#now + ms, run });
      return this.#next++;
    }) as unknown as typeof setTimeout;
    globalThis.clearTimeout = ((id?: number) => {
      if (id !== undefined) this.#timers.delete(id);
    }) as typeof clearTimeout;
  }

  get now(): number {
    return this.#now;
  }

  /** Lets `ms` milliseconds pass; timers that fall due run in their order. */
  tick(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      let due: [number, { at: number; run: () => void }] | undefined;
      for (const entry of this.#timers) {
        if (entry[1].at <= end && (!due || entry[1].at < due[1].at)) due = entry;
      }
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].run();
    }
    this.#now = end;
  }

  /** As `tick`, and lets promises settle before and after. */
  async tickAsync(ms: number): Promise<void> {
    await Promise.resolve();
    this.tick(ms);
    await Promise.resolve();
  }

  restore(): void {
    Date.now = this.#real.now;
    globalThis.setTimeout = this.#real.set;
    globalThis.clearTimeout = this.#real.clear;
  }

  [Symbol.dispose](): void {
    this.restore();
  }
}
