/** Content beside a message: bytes that flow as a stream of chunks, with credit-based back-pressure. */

import { concat, EMPTY } from "../bytes.ts";
import { PeerError } from "../errors.ts";
import type { Connection, Room } from "./connection.ts";
import { Kind, MAX_PAYLOAD_BYTES, MORE } from "./frame.ts";

/** How many content bytes may be under way unread in one conversation. */
export const WINDOW_BYTES = 256 * 1024;
/** With more than this under way unread in all conversations of a process, each gets no more than one step of credit. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
/** Credit is returned in steps of this. */
export const CREDIT_STEP = WINDOW_BYTES / 4;
/** What is longer than this is cut into several chunks. With what waits for the next step of credit, one fits the window. */
const CHUNK_BYTES = 128 * 1024;
/** Content up to this travels inside the frame that it belongs to. */
const INLINE_BYTES = 128 * 1024;

/** What a caller may send: bytes at hand, or a stream. */
export type Sendable = Uint8Array | AsyncIterable<Uint8Array>;

/** True for content that arrives as `whole`. */
export function arrivesWhole(content: Sendable): content is Uint8Array {
  return content instanceof Uint8Array && content.length <= INLINE_BYTES;
}

/** There is more content than its reader takes. */
export class TooLong extends RangeError {
  override name = "TooLong";
}

/** Content that arrives. Read it once: as `whole` when that is set, else chunk by chunk. */
export class Content implements AsyncIterable<Uint8Array> {
  /** All of it, when it came in a single frame. */
  readonly whole: Uint8Array | undefined;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #ended: boolean;
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  #toCredit = 0;
  #waitingSince = Infinity;

  /** `credit` gives the sender room for more; `drop` tells it that the reader left before the end. */
  constructor(
    first: Uint8Array,
    more: boolean,
    readonly credit: (bytes: number) => void,
    readonly drop?: () => void,
  ) {
    this.whole = more ? undefined : first;
    this.#ended = !more;
    if (first.length) this.#chunks.push(first);
    this.#held = first.length;
  }

  /** A chunk came in. Throws PeerError when the sender ignores the window. */
  push(chunk: Uint8Array, more: boolean): void {
    this.#held += chunk.length;
    if (this.#ended || this.#held > WINDOW_BYTES + MAX_PAYLOAD_BYTES) {
      throw new PeerError("content: the sender ignores the window");
    }
    if (chunk.length) this.#chunks.push(chunk);
    this.#ended = !more;
    this.#wake?.();
  }

  /** The sender is gone: the reader's next read throws this. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#error = error;
    this.#wake?.();
  }

  /** When the reader began to wait for what has not come, by performance.now(); Infinity while it does not. */
  get waitingSince(): number {
    return this.#waitingSince;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk) {
          this.#taken(chunk.length);
          yield chunk;
        } else if (this.#error) throw this.#error;
        else if (this.#ended) return;
        else await this.#arrival();
      }
    } finally {
      if (!this.#ended && !this.#error) this.drop?.();
    }
  }

  /** All bytes in one array; throws TooLong beyond `limit`. */
  async bytes(limit: number): Promise<Uint8Array> {
    if (this.whole && this.whole.length <= limit) return this.whole;
    const parts: Uint8Array[] = [];
    let total = 0;
    for await (const part of this) {
      total += part.length;
      if (total > limit) throw new TooLong(`content: longer than ${limit} bytes`);
      parts.push(part);
    }
    return concat(parts, total);
  }

  async #arrival(): Promise<void> {
    this.#waitingSince = performance.now();
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#waitingSince = Infinity;
  }

  #taken(bytes: number): void {
    this.#held -= bytes;
    this.#toCredit += bytes;
    if (this.#toCredit < CREDIT_STEP || this.#ended) return;
    this.credit(this.#toCredit);
    this.#toCredit = 0;
  }
}

/** Where a Sender puts its chunks. */
export interface Outlet {
  /** Puts one CHUNK frame on the wire. */
  write(chunk: Uint8Array, more: boolean): void;
  /** What to wait for before the next one; undefined when there is room. */
  room(): Room | undefined;
}

/** The sending side: waits when the window is used up or the connection is full. */
export class Sender {
  /** What all of them have sent and nobody has read yet. */
  static #unreadOfAll = 0;
  #unread = 0;
  #wake: (() => void) | undefined;
  #stopped = false;
  #sentAt = -Infinity;

  constructor(readonly outlet: Outlet) {}

  /** For no more than was sent: the other side does not make our window. */
  credit(bytes: number): void {
    this.#count(-Math.min(bytes, this.#unread));
    this.#wake?.();
  }

  /** The conversation is over, or the other side wants no more: `send` returns at its next step. */
  stop(): void {
    this.#stopped = true;
    this.#count(-this.#unread);
    this.#wake?.();
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** When the last content went out, by performance.now(); -Infinity before any has. */
  get sentAt(): number {
    return this.#sentAt;
  }

  /** Until there is room, or it looks again for another reason: nothing of a conversation that is over waits for its peer. */
  waitFor(room: Room): Promise<void> {
    this.#wake = () => room.leave();
    return room.there;
  }

  #count(bytes: number): void {
    this.#unread += bytes;
    Sender.#unreadOfAll += bytes;
  }

  /** The reader is behind. One step unread, when it is read, brings credit: no more is needed to go on. */
  #mustWait(bytes: number): boolean {
    return this.#unread + bytes > WINDOW_BYTES ||
      Sender.#unreadOfAll > MAX_UNREAD_BYTES && this.#unread >= CREDIT_STEP;
  }

  /** Sends all that `source` yields; an error of the source is the caller's to handle. */
  async send(source: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const part of source) {
      for (let at = 0; at < part.length; at += CHUNK_BYTES) {
        const chunk = part.subarray(at, at + CHUNK_BYTES);
        for (;;) {
          if (this.#stopped) return;
          if (this.#mustWait(chunk.length)) {
            await new Promise<void>((resolve) => (this.#wake = resolve));
          } else {
            const room = this.outlet.room();
            if (!room) break;
            await this.waitFor(room);
          }
        }
        this.#count(chunk.length);
        this.#write(chunk, true);
      }
    }
    if (!this.#stopped) this.#write(EMPTY, false);
  }

  #write(chunk: Uint8Array, more: boolean): void {
    this.#sentAt = performance.now();
    this.outlet.write(chunk, more);
  }
}

/** Sends a request or reply and its content; small content goes in the same frame. */
export async function sendContent(
  connection: Connection,
  kind: number,
  call: number,
  id: number,
  header: Uint8Array,
  content: Sendable,
  onSender: (sender: Sender) => void,
): Promise<void> {
  let room = connection.room();
  if (!room && arrivesWhole(content)) return connection.send(kind, call, id, header, content);
  const sender = new Sender({
    write: (chunk, more) =>
      connection.send(Kind.CHUNK | (more ? MORE : 0), call, id, undefined, chunk),
    room: () => connection.room(),
  });
  onSender(sender);
  // One of those that waited may have taken the room again: hundreds of large requests would be more than it bears.
  for (; room; room = connection.room()) {
    await sender.waitFor(room);
    if (sender.stopped) return;
  }
  if (arrivesWhole(content)) return connection.send(kind, call, id, header, content);
  connection.send(kind | MORE, call, id, header);
  await sender.send(content instanceof Uint8Array ? once(content) : content);
}

/** Bytes at hand as a stream. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
