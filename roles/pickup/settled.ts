/**
 * Submissions that are done with: queued, and their files gone. The queue remembers where mail came from until it hears of
 * that; it hears with the next submission, so that nothing has to be said for its own sake.
 */

/** So long after its file has gone a submission may still come from another pickup, which had opened the file before. */
export const SETTLE_MS = 10_000;
/** So many wait to be told; of more the queue hears nothing, and forgets them when they are old. */
const MAX_WAITING = 10_000;
/** So many go with one submission. */
const MAX_TOLD = 100;

interface Waiting {
  readonly id: string;
  readonly since: number;
}

export class Settled {
  /** Oldest first. */
  #waiting: Waiting[] = [];

  /** `now` is milliseconds on any clock that only goes forward. */
  constructor(readonly now: () => number) {}

  /** The file of this submission is gone. */
  add(id: string): void {
    if (this.#waiting.length >= MAX_WAITING) this.#waiting.shift();
    this.#waiting.push({ id, since: this.now() });
  }

  /** Those that the queue may forget now; whoever takes them gives them back if they were not told. */
  take(): Waiting[] {
    const now = this.now();
    let count = 0;
    while (count < MAX_TOLD && (this.#waiting[count]?.since ?? now) <= now - SETTLE_MS) count++;
    return this.#waiting.splice(0, count);
  }

  giveBack(taken: readonly Waiting[]): void {
    if (taken.length) this.#waiting = [...taken, ...this.#waiting];
  }
}
