/** Content beside a message: bytes that flow as a stream of chunks, with credit-based back-pressure. */

import { PeerError } from "../errors.ts";
import { concat, MAX_PAYLOAD_BYTES } from "./frame.ts";

/** How many content bytes may be under way unread in one conversation. */
export const WINDOW_BYTES = 512 * 1024;
/** Credit is returned in steps of this. */
const CREDIT_STEP = WINDOW_BYTES / 4;
/** What is longer than this is cut into several chunks. */
const CHUNK_BYTES = 64 * 1024;

/** What a caller may send: bytes at hand, or a stream. */
export type Sendable = Uint8Array | AsyncIterable<Uint8Array>;

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
  #credit: (bytes: number) => void;

  constructor(first: Uint8Array, more: boolean, credit: (bytes: number) => void) {
    this.whole = more ? undefined : first;
    this.#ended = !more;
    this.#credit = credit;
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

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk) {
        this.#taken(chunk.length);
        yield chunk;
      } else if (this.#error) throw this.#error;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** All bytes in one array; throws RangeError beyond `limit`. */
  async bytes(limit: number): Promise<Uint8Array> {
    if (this.whole && this.whole.length <= limit) return this.whole;
    const parts: Uint8Array[] = [];
    let total = 0;
    for await (const part of this) {
      total += part.length;
      if (total > limit) throw new RangeError(`content: longer than ${limit} bytes`);
      parts.push(part);
    }
    return concat(parts, total);
  }

  #taken(bytes: number): void {
    this.#held -= bytes;
    this.#toCredit += bytes;
    if (this.#toCredit < CREDIT_STEP || this.#ended) return;
    this.#credit(this.#toCredit);
    this.#toCredit = 0;
  }
}

/** The sending side: waits when the window is used up. */
export class Sender {
  #window = WINDOW_BYTES;
  #wake: (() => void) | undefined;
  #stopped = false;

  /** `write(chunk, more)` puts one CHUNK frame on the wire. */
  constructor(readonly write: (chunk: Uint8Array, more: boolean) => void) {}

  credit(bytes: number): void {
    this.#window += bytes;
    this.#wake?.();
  }

  /** The other side wants no more; `send` returns at its next step. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  /** Sends all that `source` yields; an error of the source is the caller's to handle. */
  async send(source: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const part of source) {
      for (let at = 0; at < part.length; at += CHUNK_BYTES) {
        const chunk = part.subarray(at, at + CHUNK_BYTES);
        while (this.#window < chunk.length && !this.#stopped) {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
        if (this.#stopped) return;
        this.#window -= chunk.length;
        this.write(chunk, true);
      }
    }
    if (!this.#stopped) this.write(new Uint8Array(0), false);
  }
}
