/**
 * in_flow_delay: whoever sends faster than mail leaves is slowed down (reference 7.3). Only mail that finds no place in the
 * active queue counts; the rest never waits.
 */

import { counter } from "../../shared/counters.ts";

const slowed = counter(
  "qmgr_slowed",
  "messages answered late, because mail comes faster than it leaves",
);

/** So many messages more than have become active may come without a wait: as many as Postfix has processes by default. */
const MAX_AHEAD = 100;
/** Nobody waits longer: when the system stops, smtpd has four seconds to say 250 for what is durable. */
const MAX_DELAY_MS = 3000;

export class InFlow {
  #ahead = 0;
  #waiting = new Set<() => void>();

  /** `delayMs` is how long the answer to one message waits; 0 is never. */
  constructor(public delayMs: number) {}

  /** A durable message was left in incoming: resolves when that may be answered. */
  async left(): Promise<void> {
    if (this.#ahead < MAX_AHEAD) this.#ahead++;
    else if (this.delayMs > 0) {
      slowed.add();
      await new Promise<void>((resolve) => {
        const go = () => {
          clearTimeout(timer);
          this.#waiting.delete(go);
          resolve();
        };
        const timer = setTimeout(go, Math.min(this.delayMs, MAX_DELAY_MS));
        this.#waiting.add(go);
      });
    }
  }

  /** A message of incoming has become active. */
  moved(): void {
    if (this.#ahead > 0) this.#ahead--;
  }

  /** Whatever left incoming otherwise: nothing waits there now. */
  empty(): void {
    this.#ahead = 0;
  }

  /** Nobody waits any more. */
  end(): void {
    this.delayMs = 0;
    for (const go of [...this.#waiting]) go();
  }
}
