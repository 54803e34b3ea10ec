/** Warnings that a stranger can cause as often as he likes: he must not be able to fill the log with them. */

import { warning } from "./log.ts";

/** Between two lines is at least so much time. */
export const SELDOM_MS = 10_000;

/** A `warning()` that writes the first text at once, and later ones with how many were left out since the last. */
export function seldom(now: () => number = () => performance.now()): (text: string) => void {
  let next = -Infinity, left = 0;
  return (text) => {
    if (now() < next) return void left++;
    next = now() + SELDOM_MS;
    warning(left ? `${text} (and ${left} more)` : text);
    left = 0;
  };
}
