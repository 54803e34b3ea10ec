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

  constructor(readonly intervalMs = SWEEP_MS) {}

  add(swept: Swept): void {
    this.#swept.add(swept);
    this.#timer ??= setInterval(() => {
      const now = performance.now();
      for (const each of this.#swept) each.sweep(now);
    }, this.intervalMs);
  }

  delete(swept: Swept): void {
    this.#swept.delete(swept);
    if (this.#swept.size) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
