/**
 * No mail is taken when the queue's file system runs full (reference 7.1). One look at it is good for a second, less what is let in
 * meanwhile: a burst would use up all that is to be left. Before mail is refused the queue gives back what it can do without.
 */

import { FullError, reason } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import { MAX_WHOLE_CONTENT } from "../../shared/queue/kept_content.ts";
import type { QueueStore } from "../../shared/queue/store.ts";

/** How long one look is good for. */
const FRESH_MS = 1000;

/** What there has to be room for: a message that the database takes, one that a file takes, or more of one that has begun. */
export type Need = "small" | "large" | "more";

export class FreeSpace {
  /** As seen, less what has been let in since. */
  #free = Infinity;
  /** Let in, and not yet where a look can see it. */
  #pending = 0;
  /** What the store has free in what it has taken of the disk. */
  #inside = 0;
  #lookedAt = -Infinity;
  #shrunkAt = -Infinity;
  /** Looking fails: said once, until it works again. */
  #failing = false;
  #blind = false;

  constructor(
    readonly store: Pick<QueueStore, "room" | "shrink" | "strained">,
    readonly now: () => number,
    /** queue_minfree and message_size_limit, bytes. */
    public limits: { minimum: number; messageSize: number },
  ) {}

  /**
   * Throws FullError when there is less than `queue_minfree`, or than one and a half of the largest message. A message that has
   * begun may use what had to be there for it. The database does not give back what it takes, so that it leaves room for one
   * more of the largest messages; but what it has free is room, too.
   */
  check(need: Need): void {
    const now = this.now();
    if (now - this.#lookedAt >= FRESH_MS || this.store.strained) this.look();
    if (this.#isShort(need) && now - this.#shrunkAt >= FRESH_MS) {
      this.#shrunkAt = now;
      this.store.shrink();
      this.look();
    }
    if (this.#isShort(need)) {
      throw new FullError(`not enough free space in mail queue: ${this.#free} bytes`);
    }
  }

  /** So many bytes are about to be written. */
  hold(bytes: number): void {
    this.#free -= bytes;
    this.#pending += bytes;
  }

  /** They are. */
  release(bytes: number): void {
    this.#pending -= bytes;
  }

  /** The content of a message that has begun, while it is written; throws FullError when there is no room for more of it. */
  async *counted(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let size = 0, held = 0;
    try {
      for await (const chunk of content) {
        const { length } = chunk;
        size += length;
        held += length;
        this.hold(length);
        this.check("more");
        yield chunk;
        // So much may still be in memory.
        const written = Math.max(0, held - MAX_WHOLE_CONTENT);
        this.release(written);
        held -= written;
      }
      size = 0;
    } finally {
      // What breaks off is not kept, which may let others go on.
      this.release(held);
      this.#free += size;
    }
  }

  /** Looks how much room there is, which has the store keep its space for changes again, too. */
  look(): void {
    this.#lookedAt = this.now();
    if (this.#blind) return;
    try {
      const { disk, inside } = this.store.room();
      this.#free = disk - this.#pending;
      this.#inside = inside;
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

  #isShort(need: Need): boolean {
    const { minimum, messageSize } = this.limits;
    const margin = Math.max(minimum, messageSize * 1.5);
    if (need === "large") return this.#free < margin;
    if (need === "more") return this.#free < margin - messageSize;
    return this.#free < 0 || this.#free + this.#inside < margin + messageSize;
  }
}
