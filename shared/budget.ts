/**
 * What the sessions of a process may hold in memory together. Each may always hold a little, so that ordinary mail never has
 * to ask; beyond that they share one budget, and when it is used up, whoever wants more is refused, and nobody else.
 */

import { seldom } from "./log/seldom.ts";

export class Budget {
  #taken = 0;
  #warn = seldom();

  /** `what` names it in the log; `freeBytes` are for each session, `bytes` for all beyond that. */
  constructor(readonly what: string, readonly bytes: number, readonly freeBytes: number) {}

  /** How much of it is in use. */
  get taken(): number {
    return this.#taken;
  }

  /** False, with a warning once in a while, when there is not so much left. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.bytes) {
      this.#warn(`${this.what}: all ${this.bytes} bytes for all sessions together are in use`);
      return false;
    }
    this.#taken += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }
}

/** What one session holds of a budget. */
export class Share {
  #held = 0;
  #taken = 0;

  constructor(readonly budget: Budget) {}

  /** Holds so many bytes more; false, and holds no more than before, when there is no room for them. */
  add(bytes: number): boolean {
    const held = this.#held + bytes, more = held - this.budget.freeBytes - this.#taken;
    if (more > 0) {
      if (!this.budget.take(more)) return false;
      this.#taken += more;
    }
    this.#held = held;
    return true;
  }

  /** Holds nothing any more. */
  release(): void {
    this.#held = 0;
    if (this.#taken === 0) return;
    this.budget.give(this.#taken);
    this.#taken = 0;
  }
}
