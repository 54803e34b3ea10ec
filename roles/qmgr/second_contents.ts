/** Contents that agents ask for a second time, for a second server: so many at a time, and one for what was handed over. */

import { Budget } from "../../shared/budget.ts";
import { PeerError, StorageError } from "../../shared/errors.ts";
import { Streamed } from "../../shared/ipc/server.ts";
import type { Handed } from "../../shared/protocols/delivery.ts";
import { MAX_WHOLE_CONTENT } from "../../shared/queue/kept_content.ts";
import type { QueueReader } from "../../shared/queue/store.ts";

/** What they may hold together: as many as a transport has deliveries by default may be sent at a time. */
const MAX_BYTES = 128 * 1024 * 1024;
/** What each of them holds at most: all of it, or a file and as much of that as is read at once. */
const EACH_BYTES = MAX_WHOLE_CONTENT;

export class SecondContents {
  readonly budget = new Budget("contents for second servers", MAX_BYTES, 0);
  /** By their seals: what is being answered. */
  #answered = new Set<string>();

  constructor(readonly store: Pick<QueueReader, "content">) {}

  /**
   * The content of what was handed over with a seal that was checked. Throws PeerError while it is being answered already,
   * StorageError when there is no room for it: an agent need not read what it asks for.
   */
  async answer({ queueId, seal }: Handed): Promise<Streamed<Record<never, never>>> {
    if (this.#answered.has(seal)) {
      throw new PeerError(`${queueId}: its content is being answered already`);
    }
    if (!this.budget.take(EACH_BYTES)) {
      throw new StorageError(`${queueId}: no room in memory for its content`);
    }
    this.#answered.add(seal);
    const over = () => {
      this.#answered.delete(seal);
      this.budget.give(EACH_BYTES);
    };
    try {
      return new Streamed({}, await this.store.content(queueId), over);
    } catch (error) {
      over();
      throw error;
    }
  }
}
