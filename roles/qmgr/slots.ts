/** How many of a kind may be under way at a time: what each of them holds, a descriptor say, this process has only so many of. */

import { StorageError } from "../../shared/errors.ts";
import { seldom } from "../../shared/log/seldom.ts";

export class Slots {
  #taken = 0;
  #warn = seldom();

  /** `what` names them in the log and to whoever finds none left. */
  constructor(readonly what: string, public limit: number) {}

  /** Takes a slot, and answers what gives it back, to be called once. Throws StorageError when none is left. */
  take(): () => void {
    if (this.#taken >= this.limit) {
      this.#warn(
        `${this.what}: all ${this.limit} slots are taken: see qmgr_content_file_limit, ulimit -n`,
      );
      throw new StorageError(`${this.what}: too many at a time`);
    }
    this.#taken++;
    return () => this.#taken--;
  }
}
