/** Waits. */

/** The runtime's timers wait no longer, in milliseconds; with more they would not wait at all. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The milliseconds for a timer that waits so many seconds, or the 24 days that it can wait. */
export function timerMs(seconds: number): number {
  return Math.min(seconds * 1000, MAX_TIMER_MS);
}

/** Resolves after so many milliseconds. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Resolves when all that waits for this process has had its turn. */
export function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
