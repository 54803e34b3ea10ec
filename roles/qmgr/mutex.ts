/** One after the other: feeding and operators' commands change where a message is, and must not cross. */

export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs after everything that asked before has ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  }
}
