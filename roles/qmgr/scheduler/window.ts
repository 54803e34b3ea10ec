/**
 * How many deliveries to one destination may run at a time (reference 2.4). It grows with each success and shrinks with
 * each failure of the site; a whole cohort of failures in a row without a success makes the destination dead.
 */

import type { Feedback } from "../../../shared/parameters/qmgr.ts";
import type { TransportSettings } from "./settings.ts";

export class Window {
  /** Deliveries allowed at a time; 0 while the destination is dead. */
  size: number;
  success = 0;
  failure = 0;
  /** Failures since the last success, each as its part of a window. */
  failedCohorts = 0;

  constructor(public settings: TransportSettings) {
    this.size = initial(settings);
  }

  /** A delivery ended without a problem of the site; `busy` counts it still. */
  succeeded(busy: number): void {
    const { concurrencyLimit: limit, positiveFeedback, initialConcurrency } = this.settings;
    this.failedCohorts = 0;
    if (this.size === 0) return this.revive(busy);
    if (this.size < limit && this.size < busy + initialConcurrency) {
      const weight = weigh(positiveFeedback, this.size);
      this.success += weight;
      // Half a step of hysteresis: the window does not swing between two sizes.
      while (this.success + weight / 2 >= 1) {
        this.size++;
        this.success--;
        this.failure = 0;
      }
    }
    if (this.size > limit) this.size = limit;
  }

  /** A delivery failed for the site's sake; true when that makes the destination dead. */
  failed(): boolean {
    if (this.size === 0) return false;
    const { failedCohortLimit, negativeFeedback } = this.settings;
    this.failedCohorts += 1 / this.size;
    if (failedCohortLimit > 0 && this.failedCohorts >= failedCohortLimit) {
      this.size = 0;
      return true;
    }
    const weight = weigh(negativeFeedback, this.size);
    this.failure -= weight;
    while (this.failure - weight / 2 < 0) {
      this.size--;
      this.failure++;
      this.success = 0;
    }
    this.size = Math.max(1, this.size);
    return false;
  }

  /** The destination is tried again. */
  revive(busy: number): void {
    this.size = busy > 0 ? busy : initial(this.settings);
    this.success = this.failure = this.failedCohorts = 0;
  }
}

function initial({ initialConcurrency, concurrencyLimit }: TransportSettings): number {
  return Math.min(initialConcurrency, concurrencyLimit);
}

function weigh({ amount, over }: Feedback, size: number): number {
  if (over === "one") return amount;
  return amount / (over === "concurrency" ? size : Math.sqrt(size));
}
