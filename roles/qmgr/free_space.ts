/** No mail is taken when the queue's file system runs full (reference 7.1). */

import { FullError, reason } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import type { QueueStore } from "../../shared/queue/store.ts";

/** How long one look is good for. */
const FRESH_MS = 1000;

export class FreeSpace {
  #free = Infinity;
  #lookedAt = -Infinity;
  /** Looking fails: said once, until it works again. */
  #failing = false;
  #blind = false;

  constructor(
    readonly store: Pick<QueueStore, "room" | "strained">,
    readonly now: () => number,
    /** queue_minfree and message_size_limit, bytes. */
    public limits: { minimum: number; messageSize: number },
  ) {}

  /** Throws FullError when there is less than `queue_minfree`, or than one and a half of the largest message. */
  check(): void {
    if (this.now() - this.#lookedAt >= FRESH_MS || this.store.strained) this.look();
    const { minimum, messageSize } = this.limits;
    if (this.#free < Math.max(minimum, messageSize * 1.5)) {
      throw new FullError(`not enough free space in mail queue: ${this.#free} bytes`);
    }
  }

  /** Looks how much room there is, which has the store keep its space for changes again, too. */
  look(): void {
    this.#lookedAt = this.now();
    if (this.#blind) return;
    try {
      this.#free = this.store.room().disk;
      this.#failing = false;
    } catch (error) {
      // What was seen before says nothing of now: a full disk is noticed by the commit that fails.
      this.#free = Infinity;
      this.#blind = error instanceof Deno.errors.NotCapable;
      const state = this.#blind ? "is not watched" : "is not known";
      if (!this.#failing) warning(`free space of the queue ${state}: ${reason(error)}`);
      this.#failing = true;
    }
  }
}
