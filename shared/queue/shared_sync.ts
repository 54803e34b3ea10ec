/** A sync of one thing on the disk, which takes as long for many who ask as for one. */
export class SharedSync {
  #running: Promise<void> | undefined;
  #following: Promise<void> | undefined;

  /** `run` makes durable all that was written before it is called. */
  constructor(readonly run: () => Promise<void>) {}

  /** One sync serves all who ask before it begins; who asks while one runs waits for the next. */
  sync(): Promise<void> {
    if (!this.#running) {
      return this.#running = this.run().finally(() => {
        this.#running = undefined;
      });
    }
    return this.#following ??= this.#running.catch(() => {}).then(() => {
      this.#following = undefined;
      return this.sync();
    });
  }
}
