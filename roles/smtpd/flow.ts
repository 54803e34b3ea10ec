/**
 * The way of a message's content. Small content is collected and handed to cleanup as one array. Of longer content cleanup
 * gets the head, when all has come: the body, which it would not look at, is streamed past it into the queue as it
 * arrives, and the client is read only as fast as that takes it. A message whose client goes away or breaks a rule in
 * mid-stream is cancelled: its stream throws, and nothing is queued.
 */

import { byteText, concat } from "../../shared/bytes.ts";
import { PeerError } from "../../shared/errors.ts";
import type { Sendable } from "../../shared/ipc/content.ts";

/** Content up to this is handed over whole: no stream to set up, and no file of the queue's. */
const WHOLE_BYTES = 256 * 1024;
/** So much of a stream may wait before the client is not read any more. */
const WAITING_BYTES = 256 * 1024;
/** With more than this held of all messages, longer ones leave early; with more in all streams, each may hold only a little. */
const ALL_WAITING_BYTES = 64 * 1024 * 1024;
const LESS_BYTES = 64 * 1024;
const LITTLE_BYTES = 16 * 1024;
/**
 * Of a message that comes in more pieces than this, those that are short are copied together: BDAT chunks or packets of one
 * byte would each cost a hundred bytes of memory and a frame on the way to cleanup.
 */
const MANY_PIECES = 64;
const SHORT_BYTES = 1024;
const ROOM_BYTES = 16 * 1024;
/** The end of a line, and an empty one. */
const EMPTY_LINE = "\r\n\r\n";
/** A head that has not ended within this goes to cleanup as a stream, with its body. */
const HEAD_BYTES = 16 * 1024;
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

/** Where content goes; both throw CallError. */
export interface Outlets {
  /** To cleanup: all content, or the head of what the queue has under the key `body`. */
  submit(content: Sendable, body?: string): Promise<CleanupAnswer>;
  /** To the queue; what it resolves to tells it to forget the body unless it was named meanwhile. */
  keepBody(key: string, body: AsyncIterable<Uint8Array>): Promise<() => void>;
}

/** What became of a submission: what cleanup said, or why it did not. */
export type Submitted = { answer: CleanupAnswer } | { error: unknown };

export class Flow {
  #parts: Uint8Array[];
  #held = 0;
  #stream: Stream | undefined;
  #submitted: Promise<Submitted> | undefined;
  #body: Body | undefined;
  #pieces = 0;
  readonly #room = new Room();

  /** `head` is what smtpd itself writes above the content. */
  constructor(head: Uint8Array, readonly outlets: Outlets) {
    this.#parts = [head];
    this.#hold(head.length);
  }

  /** Takes content; when `crowded` is true afterwards, wait for `space` before reading more. */
  push(parts: readonly Uint8Array[]): void {
    for (const part of parts.length > FEW_PARTS ? [concat(parts)] : parts) {
      if (++this.#pieces > MANY_PIECES) this.#gather(part);
      else this.#add(part);
    }
    const most = heldOfAll + waitingInAll > ALL_WAITING_BYTES ? LESS_BYTES : WHOLE_BYTES;
    if (!this.#stream && this.#held > most) this.#beginStream();
  }

  #add(part: Uint8Array): void {
    if (this.#stream) this.#stream.push(part);
    else {
      this.#parts.push(part);
      this.#hold(part.length);
    }
  }

  #hold(bytes: number): void {
    this.#held += bytes;
    heldOfAll += bytes;
  }

  /** Nothing of it is here any more. */
  #drop(): void {
    this.#parts = [];
    this.#hold(-this.#held);
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

  /** Resolves when most of what waits has been taken, or no more is wanted. */
  space(): Promise<void> {
    return this.#stream?.space() ?? Promise.resolve();
  }

  /** All content has come: what cleanup makes of it. */
  finish(): Promise<Submitted> {
    const rest = this.#room.empty();
    if (rest) this.#add(rest);
    if (this.#stream) this.#stream.end();
    else this.#submit(concat(this.#parts, this.#held));
    this.#parts = [];
    return this.#submitted ?? this.#submitHead(this.#body!);
  }

  /** The message must not be queued; what is submitted already is held until there is an answer. */
  cancel(why: string): void {
    if (!this.#submitted) this.#drop();
    this.#stream?.fail(new PeerError(why));
  }

  #beginStream(): void {
    const stream = this.#stream = new Stream();
    const { head, rest } = split(this.#parts);
    this.#drop();
    for (const part of rest) stream.push(part);
    if (!head) return this.#submit(stream);
    const key = crypto.randomUUID().replaceAll("-", "");
    const kept = this.outlets.keepBody(key, stream).catch((error: unknown) => {
      stream.close();
      return { error };
    });
    this.#body = { head, key, kept };
    this.#hold(head.length);
  }

  #submit(content: Sendable, body?: string): void {
    const over = () => {
      this.#stream?.close();
      this.#drop();
    };
    this.#submitted = this.outlets.submit(content, body).then(
      (answer) => (over(), { answer }),
      (error) => (over(), { error }),
    );
  }

  /** Only for a body that is kept: nothing has to wait for it in the queue. */
  async #submitHead({ head, key, kept }: Body): Promise<Submitted> {
    const forget = await kept;
    if (typeof forget !== "function") {
      this.#drop();
      return forget;
    }
    this.#submit(head, key);
    const submitted = await this.#submitted!;
    forget();
    return submitted;
  }
}

/** A body that goes past cleanup, and the head that has to wait for it. */
interface Body {
  readonly head: Uint8Array;
  readonly key: string;
  readonly kept: Promise<(() => void) | { error: unknown }>;
}

/** The head, if it ends near the start, and the rest. */
function split(parts: readonly Uint8Array[]): { head?: Uint8Array; rest: readonly Uint8Array[] } {
  let near = 0, count = 0;
  while (near < HEAD_BYTES && count < parts.length) near += parts[count++]!.length;
  const start = concat(parts.slice(0, count), near);
  const line = byteText(start, 0, Math.min(near, HEAD_BYTES)).indexOf(EMPTY_LINE);
  if (line < 0) return { rest: parts };
  const end = line + EMPTY_LINE.length;
  return { head: start.slice(0, end), rest: [start.subarray(end), ...parts.slice(count)] };
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

/** Bytes of all messages that are held whole, or were and are being submitted; and those that wait in streams. */
let heldOfAll = 0, waitingInAll = 0;

/** Chunks that wait to be taken. */
class Stream implements AsyncIterable<Uint8Array> {
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
    if (this.#state === "open" || this.#state === "ended") this.#state = "failed";
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
      waitingInAll > ALL_WAITING_BYTES && this.#waiting > LITTLE_BYTES;
  }

  #count(bytes: number): void {
    this.#waiting += bytes;
    waitingInAll += bytes;
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
