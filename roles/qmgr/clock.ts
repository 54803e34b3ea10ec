/** The time of day, and whether it can be believed about ages. */

/** The time of day and a time that only grows differ by this much more than before: somebody set the clock. */
const LEAP_MS = 10 * 60_000;
/** The former qmgr saw a time this far from ours: the clock was set meanwhile, or nothing ran for as long. */
const GAP_MS = 24 * 3_600_000;
/** A clock that still stands where it was set to after so long is right. */
const DOUBT_MS = 3_600_000;

export class Clock {
  /** For an hour after the clock was set, or after a start so long after the last: mail may not be as old as it looks. */
  inDoubt = false;
  #ahead: number;
  #leaptAt = -Infinity;

  /** `now` is the time of day, `steady` never goes back, `seen` is the time of day before the start; all in milliseconds. */
  constructor(readonly now: () => number, readonly steady: () => number, seen?: number) {
    this.#ahead = now() - steady();
    if (seen !== undefined && Math.abs(now() - seen) > GAP_MS) this.#leaptAt = steady();
    this.observe();
  }

  /** Looks whether somebody has set the clock: before each decision about ages, and now and then. */
  observe(): void {
    const steady = this.steady(), ahead = this.now() - steady;
    if (Math.abs(ahead - this.#ahead) > LEAP_MS) this.#leaptAt = steady;
    this.#ahead = ahead;
    this.inDoubt = steady - this.#leaptAt < DOUBT_MS;
  }
}
