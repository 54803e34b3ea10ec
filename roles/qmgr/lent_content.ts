/** Content that delivery agents may read a second time, for a second server (reference 3b), as long as they deliver it. */

import { PeerError } from "../../shared/errors.ts";
import type { Sendable } from "../../shared/ipc/content.ts";
import type { QueueReader } from "../../shared/queue/store.ts";

export class LentContent {
  /** Queue ids by key. */
  #lent = new Map<string, string>();

  constructor(readonly store: Pick<QueueReader, "content">) {}

  /** A key that cannot be guessed: one agent must not read what another was handed. */
  lend(queueId: string): string {
    const key = crypto.randomUUID();
    this.#lent.set(key, queueId);
    return key;
  }

  /** The delivery has ended. */
  end(key: string): void {
    this.#lent.delete(key);
  }

  /** The content from its beginning. Throws PeerError for a key that was not given, or not to a delivery of now. */
  async read(key: string): Promise<Sendable> {
    const queueId = this.#lent.get(key);
    if (queueId === undefined) throw new PeerError("content: no delivery of now has this key");
    return await this.store.content(queueId);
  }
}
