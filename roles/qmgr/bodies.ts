/**
 * bodies: takes the bodies of large messages past cleanup, which looks at headers only. A body alone is no message: it is
 * kept for the enqueue that names its key, and forgotten when whoever sent it goes away before.
 */

import { PeerError, reason } from "../../shared/errors.ts";
import { answer, type Answerer, type Conversation, ROLES } from "../../shared/ipc/server.ts";
import { warning } from "../../shared/log/log.ts";
import { bodiesService } from "../../shared/protocols/queue.ts";
import type { QueueStore, Spooled } from "../../shared/queue/store.ts";
import { stopAt } from "../../shared/stop_points.ts";
import type { FreeSpace } from "./free_space.ts";
import type { Slots } from "./slots.ts";

/** A qmgr that leaves waits no longer: heads go to the next one, which knows no body of ours, and clients send again. */
const DRAIN_MS = 1000;

interface Body {
  readonly queueId: string;
  readonly content: Spooled;
}

export class Bodies {
  readonly answerer: Answerer = answer(bodiesService, {
    keep: ({ queueId, key }, conversation) => this.#keep(queueId, key, conversation),
  }, { ...ROLES, drainMs: DRAIN_MS });
  #bodies = new Map<string, Body>();

  constructor(
    readonly store: Pick<QueueStore, "spool" | "discard">,
    readonly space: FreeSpace,
    /** Ends content that is longer than any message may be. */
    readonly limited: (content: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
    /** Of bodies that are received or kept: one connection may have more conversations than this process descriptors. */
    readonly slots: Slots,
  ) {}

  /** The body under this key, which is the caller's from now on; throws PeerError when there is none. */
  take(queueId: string, key: string): Spooled {
    const body = this.#bodies.get(key);
    if (body?.queueId !== queueId) throw new PeerError(`enqueue ${queueId}: its body is not here`);
    this.#bodies.delete(key);
    return body.content;
  }

  async #keep(
    queueId: string,
    key: string,
    { content, signal, settled }: Conversation,
  ): Promise<object> {
    this.space.check("large");
    const leave = this.slots.take();
    try {
      const body = await this.#receive(queueId, key, content, signal);
      // Whether it was named or not: from here on nobody will.
      settled.then(() => {
        leave();
        this.#forget(key, body);
      });
      return {};
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #receive(
    queueId: string,
    key: string,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Body> {
    const body = {
      queueId,
      content: await this.store.spool(queueId, this.limited(content), signal),
    };
    stopAt?.("bodies.kept");
    if (this.#bodies.has(key)) {
      await this.store.discard(body.content);
      throw new PeerError(`keep ${queueId}: the key is taken`);
    }
    this.#bodies.set(key, body);
    return body;
  }

  #forget(key: string, body: Body): void {
    if (this.#bodies.get(key) !== body) return;
    this.#bodies.delete(key);
    this.store.discard(body.content).catch((error) =>
      warning(`${body.queueId}: remove a body: ${reason(error)}`)
    );
  }
}
