/** Deadlines without a timer each: everything that waits is looked at now and then. */

/** Something that may have waited too long; `now` is in milliseconds of `performance.now()`. */
export interface Swept {
  sweep(now: number): void;
}

/** How late a deadline may be noticed. */
const SWEEP_MS = 500;

export class Sweeper {
  #swept = new Set<Swept>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #now = 0;

  /** Milliseconds, up to half a second late while somebody waits: asking the system for each step would cost more. */
  get now(): number {
    return this.#timer === undefined ? performance.now() : this.#now;
  }

  /** The time at which `seconds` are over for certain; 0, for never, where they are 0. */
  deadline(seconds: number): number {
    return seconds && this.now + seconds * 1000 + SWEEP_MS;
  }

  add(swept: Swept): void {
    this.#swept.add(swept);
    if (this.#timer !== undefined) return;
    this.#now = performance.now();
    this.#timer = setInterval(() => {
      this.#now = performance.now();
      for (const each of this.#swept) each.sweep(this.#now);
    }, SWEEP_MS);
  }

  delete(swept: Swept): void {
    this.#swept.delete(swept);
    if (this.#swept.size) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
