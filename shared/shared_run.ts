/** What takes as long for many who ask for it as for one: a sync of the disk, a reload. */
export class SharedRun<T = void> {
  #running: Promise<T> | undefined;
  #following: Promise<T> | undefined;

  /** `run` serves all who have asked before it is called. */
  constructor(readonly run: () => Promise<T>) {}

  /**
   * One run serves all who ask before it begins; who asks while one is under way waits for the next. Where that one fails they
   * hear of it as well: what a sync has lost of theirs the next one may not notice.
   */
  join(): Promise<T> {
    if (!this.#running) {
      return this.#running = this.run().finally(() => {
        this.#running = undefined;
      });
    }
    return this.#following ??= this.#running.finally(() => {
      this.#following = undefined;
    }).then(() => this.join());
  }
}
