/**
 * The way of a message's content to cleanup. Small content is collected and handed over as one array; longer content is
 * streamed as it arrives, and the client is read only as fast as cleanup takes it. A message whose client goes away or
 * breaks a rule in mid-stream is cancelled: its stream throws, and nothing is queued.
 */

import { concat } from "../../shared/bytes.ts";
import { PeerError } from "../../shared/errors.ts";
import type { Sendable } from "../../shared/ipc/content.ts";

/** Content up to this is handed over whole: one frame, no stream to set up. */
const WHOLE_BYTES = 64 * 1024;
/** So much of a stream may wait for cleanup before the client is not read any more. */
const WAITING_BYTES = 256 * 1024;
/** With more than this waiting in all streams, each may hold only a little. */
const ALL_WAITING_BYTES = 64 * 1024 * 1024;
const LITTLE_BYTES = 16 * 1024;
/**
 * Of a message that comes in more pieces than this, those that are short are copied together: BDAT chunks or packets of one
 * byte would each cost a hundred bytes of memory and a frame on the way to cleanup.
 */
const MANY_PIECES = 64;
const SHORT_BYTES = 1024;
const ROOM_BYTES = 16 * 1024;
/** Content in more pieces than this is joined: lines that begin with a dot cut it into hundreds, each a frame of its own. */
const FEW_PARTS = 2;

/** What cleanup said. */
export interface CleanupAnswer {
  readonly queued: boolean;
  readonly code: number;
  readonly dsn: string;
  readonly text: string;
  /** Not for want of room in the queue. */
  readonly crowded?: boolean;
}

export type Submit = (content: Sendable) => Promise<CleanupAnswer>;

/** What became of a submission: what cleanup said, or why it did not. */
export type Submitted = { answer: CleanupAnswer } | { error: unknown };

export class Flow {
  #parts: Uint8Array[];
  #held: number;
  #stream: Stream | undefined;
  #submitted: Promise<Submitted> | undefined;
  #pieces = 0;
  readonly #room = new Room();

  /** `head` is what smtpd itself writes above the content. */
  constructor(head: Uint8Array, readonly submit: Submit) {
    this.#parts = [head];
    this.#held = head.length;
  }

  /** Takes content; when `crowded` is true afterwards, wait for `space` before reading more. */
  push(parts: readonly Uint8Array[]): void {
    for (const part of parts.length > FEW_PARTS ? [concat(parts)] : parts) {
      if (++this.#pieces > MANY_PIECES) this.#gather(part);
      else this.#add(part);
    }
    if (!this.#stream && this.#held > WHOLE_BYTES) this.#beginStream();
  }

  #add(part: Uint8Array): void {
    if (this.#stream) this.#stream.push(part);
    else {
      this.#parts.push(part);
      this.#held += part.length;
    }
  }

  #gather(part: Uint8Array): void {
    const isShort = part.length < SHORT_BYTES;
    const full = this.#room.makeWay(isShort ? part.length : ROOM_BYTES);
    if (full) this.#add(full);
    if (isShort) this.#room.add(part);
    else this.#add(part);
  }

  get crowded(): boolean {
    return this.#stream?.crowded ?? false;
  }

  /** Resolves when cleanup has taken most of what waits, or wants no more. */
  space(): Promise<void> {
    return this.#stream?.space() ?? Promise.resolve();
  }

  /** All content has come: what cleanup makes of it. */
  finish(): Promise<Submitted> {
    const rest = this.#room.empty();
    if (rest) this.#add(rest);
    if (this.#stream) this.#stream.end();
    else this.#begin(concat(this.#parts, this.#held));
    return this.#submitted!;
  }

  /** The message must not be queued. */
  cancel(why: string): void {
    this.#parts = [];
    this.#stream?.fail(new PeerError(why));
  }

  #beginStream(): void {
    const stream = this.#stream = new Stream();
    for (const part of this.#parts) stream.push(part);
    this.#parts = [];
    this.#begin(stream);
  }

  #begin(content: Sendable): void {
    const over = () => this.#stream?.close();
    this.#submitted = this.submit(content).then(
      (answer) => (over(), { answer }),
      (error) => (over(), { error }),
    );
  }
}

/** Where short pieces become one. */
class Room {
  #bytes: Uint8Array | undefined;
  #length = 0;

  /** What is in it, when so many bytes more do not fit. */
  makeWay(bytes: number): Uint8Array | undefined {
    return this.#length + bytes > ROOM_BYTES ? this.empty() : undefined;
  }

  add(piece: Uint8Array): void {
    this.#bytes ??= new Uint8Array(ROOM_BYTES);
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
  }

  /** What is in it; undefined when there is nothing. */
  empty(): Uint8Array | undefined {
    const full = this.#bytes?.subarray(0, this.#length);
    this.#bytes = undefined;
    this.#length = 0;
    return full;
  }
}

/** Chunks that wait to be taken. */
class Stream implements AsyncIterable<Uint8Array> {
  static #waitingInAll = 0;
  #chunks: Uint8Array[] = [];
  #waiting = 0;
  #state: "open" | "ended" | "failed" | "closed" = "open";
  #error: Error | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  push(chunk: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#chunks.push(chunk);
    this.#count(chunk.length);
    this.#wake();
  }

  end(): void {
    if (this.#state === "open") this.#state = "ended";
    this.#wake();
  }

  fail(error: Error): void {
    if (this.#state === "open") this.#state = "failed";
    this.#error = error;
    this.#drop();
    this.#wake();
  }

  /** The reader wants no more: what still comes is dropped. */
  close(): void {
    this.#state = "closed";
    this.#drop();
    this.#wake();
    this.#wakeWriter?.();
  }

  get crowded(): boolean {
    return this.#waiting > WAITING_BYTES ||
      Stream.#waitingInAll > ALL_WAITING_BYTES && this.#waiting > LITTLE_BYTES;
  }

  #count(bytes: number): void {
    this.#waiting += bytes;
    Stream.#waitingInAll += bytes;
  }

  #drop(): void {
    this.#chunks = [];
    this.#count(-this.#waiting);
  }

  space(): Promise<void> {
    return this.crowded
      ? new Promise((resolve) => (this.#wakeWriter = resolve))
      : Promise.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#state === "failed") throw this.#error;
      const chunk = this.#chunks.shift();
      if (chunk) {
        this.#count(-chunk.length);
        if (!this.crowded) this.#wakeWriter?.();
        yield chunk;
      } else if (this.#state !== "open") return;
      else await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
  }

  #wake(): void {
    this.#wakeReader?.();
    this.#wakeReader = undefined;
  }
}
