/**
 * in_flow_delay: whoever sends faster than mail leaves is slowed down (reference 7.3). Only mail that finds no place in the
 * active queue counts; the rest never waits.
 */

import { counter } from "../../shared/counters.ts";

const slowed = counter(
  "qmgr_slowed",
  "messages taken late, because mail comes faster than it leaves",
);

/** So many messages more than have become active may come without a wait: as many as Postfix has processes by default. */
const MAX_AHEAD = 100;
/** Nobody waits longer: when the system stops, smtpd has four seconds to say 250 for what will be durable. */
const MAX_DELAY_MS = 3000;

export class InFlow {
  #ahead = 0;
  #waiting = new Set<() => void>();

  /** `delayMs` is how long one message waits; 0 is never. */
  constructor(public delayMs: number) {}

  /** Before a message that will be left in incoming is made durable: resolves when that may begin. */
  async wait(): Promise<void> {
    if (this.#ahead < MAX_AHEAD || this.delayMs === 0) return;
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

  /** A message was left in incoming. */
  left(): void {
    if (this.#ahead < MAX_AHEAD) this.#ahead++;
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
