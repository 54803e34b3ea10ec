/** Lets other messages go on while one with many recipients is worked on. */

import { othersTurn } from "../../shared/timer.ts";

/** Steps in a row: some milliseconds. */
const STEPS = 3000;

export class Pace {
  #left = STEPS;

  /** So many steps were taken; a promise, over with the next turn of the event loop, when it is time for the others. */
  step(count: number): Promise<void> | undefined {
    this.#left -= count;
    if (this.#left > 0) return undefined;
    this.#left = STEPS;
    return othersTurn();
  }
}
