/** What takes as long for many who ask for it as for one: a sync of the disk, a reload. */
export class SharedRun<T = void> {
  #running: Promise<T> | undefined;
  #following: Promise<T> | undefined;

  /** `run` serves all who have asked before it is called. */
  constructor(readonly run: () => Promise<T>) {}

  /** One run serves all who ask before it begins; who asks while one is under way waits for the next. */
  join(): Promise<T> {
    if (!this.#running) {
      return this.#running = this.run().finally(() => {
        this.#running = undefined;
      });
    }
    return this.#following ??= this.#running.catch(() => {}).then(() => {
      this.#following = undefined;
      return this.join();
    });
  }
}
