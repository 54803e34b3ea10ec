/** intake: takes mail from cleanup, and answers when it is durable. */

import { Budget, Share } from "../../shared/budget.ts";
import { concat } from "../../shared/bytes.ts";
import { counter } from "../../shared/counters.ts";
import { PeerError, StorageError } from "../../shared/errors.ts";
import type { Content } from "../../shared/ipc/content.ts";
import type { ReplyOf, RequestOf } from "../../shared/ipc/declare.ts";
import { answer, type Answerer, type Conversation } from "../../shared/ipc/server.ts";
import type { Envelope, Recipient } from "../../shared/mail/envelope.ts";
import { intakeService } from "../../shared/protocols/queue.ts";
import { MAX_DATABASE_CONTENT } from "../../shared/queue/outside_contents.ts";
import type { Kept, QueueStore } from "../../shared/queue/store.ts";
import { stopAt } from "../../shared/stop_points.ts";
import { ActiveMessage, numbered } from "./active_message.ts";
import type { ActiveQueue } from "./active_queue.ts";
import { Bodies } from "./bodies.ts";
import type { Committer } from "./committer.ts";
import type { FreeSpace } from "./free_space.ts";
import type { InFlow } from "./in_flow.ts";
import { believedArrival, type RetrySettings } from "./retry_times.ts";
import { Slots } from "./slots.ts";

const messages = counter("qmgr_messages", "messages taken in");

/** Small contents that are kept in memory for the first attempt, all together. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
/** What headers may add to a message that smtpd has found small enough. */
const HEADER_ALLOWANCE_BYTES = 1024 * 1024;
/** What heads of bodies that are here already may hold together: smtpd sends no long ones, but cleanup may lengthen them. */
const MAX_HEADS_BYTES = 64 * 1024 * 1024;
/** So much each of them always may. */
const FREE_HEAD_BYTES = 128 * 1024;
/** How often the disk has what goes into the database: there, in its log, and in what is kept for moving it over. */
const COPIES = 3;
/** What a message takes of the database besides its content, without and for each recipient. */
const MESSAGE_BYTES = 4096, RECIPIENT_BYTES = 1024;

type Request = RequestOf<typeof intakeService.calls, "enqueue">;
type Reply = ReplyOf<typeof intakeService.calls, "enqueue">;

export interface IntakeLimits {
  /** Bytes of a message's content. */
  readonly messageSize: number;
  /** How long mail is tried, milliseconds. */
  readonly lifetimes: Pick<RetrySettings, "lifetime" | "bounceLifetime">;
  /** Contents that come in several pieces: those that are received, and bodies that wait for their heads. */
  readonly files: number;
}

export class Intake {
  readonly answerer: Answerer = answer(intakeService, {
    enqueue: (request, conversation) => this.#enqueue(request, conversation),
  });
  readonly bodies: Bodies;
  #heads = new Budget("heads", MAX_HEADS_BYTES, FREE_HEAD_BYTES);
  #files = new Slots("large contents", 0);

  constructor(
    readonly store: QueueStore,
    readonly committer: Committer,
    readonly activeQueue: ActiveQueue,
    readonly space: FreeSpace,
    readonly inFlow: InFlow,
    /** True when new mail may become active at once. */
    readonly takesNew: () => boolean,
    /** Told when mail was left in incoming. */
    readonly onWaiting: () => void,
    readonly now: () => number,
    public limits: IntakeLimits,
  ) {
    const slots = new Slots("bodies", 0);
    this.bodies = new Bodies(store, space, (content) => this.#limited(content), slots);
    this.allow(limits);
  }

  /** Takes other limits. */
  allow(limits: IntakeLimits): void {
    this.limits = limits;
    // Half for smtpd, half for cleanup: neither can take the other's.
    this.bodies.slots.limit = Math.ceil(limits.files / 2);
    this.#files.limit = Math.ceil(limits.files / 2);
  }

  async #enqueue(said: Request, conversation: Conversation): Promise<Reply> {
    stopAt?.("intake.received");
    const request = this.#timed(said);
    const { envelope: { queueId }, source, body } = request;
    // Before its content is kept: the first one's may be in a file of the same name.
    const already = source && await this.store.queuedAs(source.id);
    if (already !== undefined) return { already };
    if (body === undefined) {
      const content = await this.#keep(queueId, conversation);
      return await this.#queue(request, undefined, content, conversation);
    }
    const share = new Share(this.#heads);
    try {
      const head = await headOf(conversation.content, share);
      return await this.#queue(request, head, this.bodies.take(queueId, body), conversation);
    } finally {
      share.release();
    }
  }

  /** With a time of arrival that can be: whoever submits may say any. */
  #timed(request: Request): Request {
    const { envelope } = request;
    const arrived = believedArrival(envelope.arrived, this.now(), this.limits.lifetimes);
    return arrived === envelope.arrived
      ? request
      : { ...request, envelope: { ...envelope, arrived } };
  }

  /** Makes a message durable. */
  async #queue(
    { envelope, recipients, expanded, source }: Request,
    head: Uint8Array | undefined,
    content: Kept,
    conversation: Conversation,
  ): Promise<Reply> {
    stopAt?.("intake.content_written");
    if (!this.takesNew()) await this.#slowDown(content, conversation);
    let already: string | undefined;
    const rows = recipients.length + (expanded?.length ?? 0);
    const bytes = bytesOnDisk(content, head, rows);
    this.space.hold(bytes);
    // A place is promised before the commit, so that what is active on the disk is active here.
    const active = this.takesNew();
    if (active) this.activeQueue.reserved++;
    try {
      this.space.check(content instanceof Uint8Array ? "small" : "more");
      const queue = active ? "active" : "incoming";
      const message = { envelope, recipients, expanded, head, content, queue, source } as const;
      already = await this.committer.add(message);
    } catch (error) {
      await this.store.discard(content);
      throw error;
    } finally {
      this.space.release(bytes);
      if (active) this.activeQueue.reserved--;
    }
    if (already !== undefined) {
      await this.store.discard(content);
      return { already };
    }
    messages.add();
    const size = (head?.length ?? 0) + sizeOf(content);
    if (active) this.#activate(envelope, recipients, expanded, content, size);
    else {
      this.onWaiting();
      this.inFlow.left();
    }
    return {};
  }

  /** Lets mail wait before it is anybody's but its client's; throws when nobody waits for the answer any more. */
  async #slowDown(content: Kept, { signal }: Conversation): Promise<void> {
    await this.inFlow.wait();
    if (!signal.aborted) return;
    await this.store.discard(content);
    throw signal.reason;
  }

  /** Takes in what a conversation brings. */
  async #keep(queueId: string, { content, signal }: Conversation): Promise<Kept> {
    if (content.whole) return content.whole;
    this.space.check("large");
    const leave = this.#files.take();
    try {
      return await this.store.keep(queueId, this.#limited(content), signal);
    } finally {
      leave();
    }
  }

  /** Mail that has just been committed goes on without being read back. */
  #activate(
    envelope: Envelope,
    recipients: readonly Recipient[],
    expanded: readonly Recipient[] | undefined,
    content: Kept,
    size: number,
  ): void {
    const inMemory = content instanceof Uint8Array ? this.#remember(content) : undefined;
    const message = new ActiveMessage(
      envelope,
      size,
      recipients.length,
      this.now(),
      false,
      inMemory,
    );
    const first = recipients.slice(0, this.activeQueue.page);
    message.nextRecipient = first.length;
    message.delivered = message.wantsSuccess = Boolean(expanded?.length);
    this.activeQueue.admit(message, first.map(numbered));
  }

  /** The content, cut out of the larger buffer it came in; undefined when there is no room for it. */
  #remember(content: Uint8Array): Uint8Array | undefined {
    if (this.activeQueue.contentBytes + content.length > MAX_MEMORY_BYTES) return undefined;
    this.activeQueue.contentBytes += content.length;
    return content.length * 2 >= content.buffer.byteLength ? content : content.slice();
  }

  /** Content on its way to the disk: not more than may be, nor than there is room for. */
  async *#limited(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let size = 0;
    for await (const chunk of this.space.counted(content)) {
      size += chunk.length;
      if (size > this.limits.messageSize + HEADER_ALLOWANCE_BYTES) {
        throw new PeerError(`enqueue: content exceeds ${this.limits.messageSize} bytes by far`);
      }
      yield chunk;
    }
  }
}

/** All of a head; throws StorageError when all together have no room for it: the disk may have. */
async function headOf(content: Content, share: Share): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of content) {
    if (!share.add(part.length)) {
      throw new StorageError("no room in memory for a long header section");
    }
    parts.push(part);
  }
  return parts.length === 1 ? parts[0]! : concat(parts);
}

/** What the disk has to have for a message besides a content file. */
function bytesOnDisk(content: Kept, head: Uint8Array | undefined, recipients: number): number {
  const row = MESSAGE_BYTES + RECIPIENT_BYTES * recipients;
  if (!(content instanceof Uint8Array)) return COPIES * (row + (head?.length ?? 0));
  const { length } = content;
  return length > MAX_DATABASE_CONTENT ? COPIES * row + length : COPIES * (row + length);
}

function sizeOf(content: Kept): number {
  return content instanceof Uint8Array ? content.length : content.size;
}
