/** The time of day, and whether it can be believed about ages. */

/** The time of day and a time that only grows differ by this much more than before: somebody set the clock. */
const LEAP_MS = 10 * 60_000;
/** A clock that still stands where it was set to after so long is right. */
const DOUBT_MS = 3_600_000;

export class Clock {
  #ahead: number;
  #leaptAt = -Infinity;

  /** `now` is the time of day, `steady` never goes back; both in milliseconds. */
  constructor(readonly now: () => number, readonly steady: () => number) {
    this.#ahead = now() - steady();
  }

  /** True for an hour after the clock was set: mail that looks too old may not be so. */
  get leapt(): boolean {
    const steady = this.steady(), ahead = this.now() - steady;
    if (Math.abs(ahead - this.#ahead) > LEAP_MS) this.#leaptAt = steady;
    this.#ahead = ahead;
    return steady - this.#leaptAt < DOUBT_MS;
  }
}
