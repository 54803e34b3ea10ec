/**
 * Frames: how conversations share one unix socket. Each frame is
 *
 *   length u32 (of what follows) - kind u8 - call u8 - conversation u32 - header length u32 - header - payload
 *
 * all big-endian. The header is JSON, the payload raw bytes. Parsing is bounded before anything is stored.
 */

import { Budget, Share } from "../budget.ts";
import { allocate, EMPTY } from "../bytes.ts";
import { PeerError } from "../errors.ts";
import { MAX_HEADER_BYTES } from "./declare.ts";

export const Kind = {
  /** Caller: begin a conversation; payload is the first content. */
  REQUEST: 1,
  /** Answerer: the reply; payload is the first content. */
  REPLY: 2,
  /** Answerer: the call failed; the header is a `Failure`. */
  ERROR: 3,
  /** Either: more content. */
  CHUNK: 4,
  /** Either: the header-less payload is a u32, how many more content bytes may be sent. */
  CREDIT: 5,
  /** Caller: the reply is durable. */
  SETTLE: 6,
  /** Answerer: no new conversations here, please; those under way go on. */
  GOAWAY: 7,
  /** Caller: nobody waits for this conversation any more. */
  CANCEL: 8,
} as const;

/** Set on a kind when more content follows in CHUNK frames. */
export const MORE = 0x80;

const FIXED_BYTES = 14;
/** Content beyond this goes in several frames: a frame is held in memory whole. */
export const MAX_PAYLOAD_BYTES = 256 * 1024;
/** The first buffer of a frame that comes in pieces. */
const MIN_ROOM_BYTES = 64 * 1024;
/** Shorter pieces of a chunk are copied. */
const MIN_VIEW_BYTES = 8 * 1024;

/**
 * What the frames that are still coming hold in this process beyond an ordinary one each. Without it a peer begins the
 * longest header on many connections and ends none.
 */
export const UNFINISHED = new Budget(
  "unfinished requests and replies",
  64 * 1024 * 1024,
  FIXED_BYTES + MAX_HEADER_BYTES + MAX_PAYLOAD_BYTES,
);

/** The longest payload of each kind. */
const MAX_PAYLOAD: Readonly<Record<number, number>> = {
  [Kind.REQUEST]: MAX_PAYLOAD_BYTES,
  [Kind.REPLY]: MAX_PAYLOAD_BYTES,
  [Kind.ERROR]: 0,
  [Kind.CHUNK]: MAX_PAYLOAD_BYTES,
  [Kind.CREDIT]: 4,
  [Kind.SETTLE]: 0,
  [Kind.GOAWAY]: 0,
  [Kind.CANCEL]: 0,
};

export interface Frame {
  readonly kind: number;
  readonly more: boolean;
  readonly call: number;
  readonly conversation: number;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}

/** The bytes of one frame: what comes before the payload, and the payload itself, uncopied. */
export function encode(
  kind: number,
  call: number,
  conversation: number,
  header: Uint8Array = EMPTY,
  payload: Uint8Array = EMPTY,
): Uint8Array[] {
  const head = allocate(FIXED_BYTES + header.length);
  setU32(head, 0, FIXED_BYTES - 4 + header.length + payload.length);
  head[4] = kind;
  head[5] = call;
  setU32(head, 6, conversation);
  setU32(head, 10, header.length);
  head.set(header, FIXED_BYTES);
  return payload.length ? [head, payload] : [head];
}

/** A CHUNK frame whose payload is still coming. */
interface Flowing {
  readonly frame: Frame;
  left: number;
}

/**
 * Cuts a byte stream into frames, however it arrives. Throws PeerError for anything over its limit. A CHUNK frame that
 * comes in pieces is passed on as several: content needs no second copy to be a stream.
 */
export class FrameReader {
  /** A frame that began in an earlier read; `#held` of its `#needed` bytes are here. */
  #partial = EMPTY;
  #held = 0;
  #needed = 0;
  #flowing: Flowing | undefined;
  #share = new Share(UNFINISHED);

  /** `maxHeader(call, kind)` bounds the header before it is waited for. */
  constructor(readonly maxHeader: (call: number, kind: number) => number) {}

  /** Takes what arrived and calls `take` for each whole frame; views into `data` stay views. */
  push(data: Uint8Array, take: (frame: Frame) => void): void {
    let at = 0;
    if (this.#flowing) at = this.#flow(this.#flowing, data, 0, take);
    else if (this.#held) at = this.#complete(data, take);
    while (at < data.length) {
      const left = data.length - at;
      const size = left >= FIXED_BYTES ? this.#size(data, at) : FIXED_BYTES;
      if (left < size) {
        if (left >= FIXED_BYTES && flows(data, at)) {
          const frame = parse(data, at, FIXED_BYTES);
          at = this.#flow({ frame, left: size - FIXED_BYTES }, data, at + FIXED_BYTES, take);
          continue;
        }
        this.#needed = size;
        this.#append(data.subarray(at));
        return;
      }
      take(parse(data, at, size));
      at += size;
    }
  }

  /** Nothing more comes: forgets what has begun. */
  end(): void {
    this.#partial = EMPTY;
    this.#held = 0;
    this.#share.release();
  }

  /** Passes on what has come of a CHUNK frame's payload, and says where it ends in `data`. */
  #flow(flowing: Flowing, data: Uint8Array, at: number, take: (frame: Frame) => void): number {
    const view = data.subarray(at, at + flowing.left);
    flowing.left -= view.length;
    this.#flowing = flowing.left ? flowing : undefined;
    if (view.length) {
      const { frame, left } = flowing;
      // Many small views would keep many large read buffers alive.
      const payload = view.length < MIN_VIEW_BYTES ? view.slice() : view;
      take({ ...frame, payload, more: frame.more || left > 0 });
    }
    return at + view.length;
  }

  /** Adds to the frame that has begun, takes it when it is whole, and says how much of `data` it used. */
  #complete(data: Uint8Array, take: (frame: Frame) => void): number {
    let at = 0;
    while (at < data.length) {
      const part = data.subarray(at, at + this.#needed - this.#held);
      this.#append(part);
      at += part.length;
      if (this.#held < this.#needed) break;
      const frame = this.#partial, size = this.#size(frame, 0);
      this.#needed = size;
      if (this.#held < size) continue;
      this.end();
      take(parse(frame, 0, size));
      break;
    }
    return at;
  }

  /** Copies: a view would keep the whole read buffer alive for each byte that a slow peer sends. */
  #append(part: Uint8Array): void {
    const held = this.#held + part.length;
    if (held > this.#partial.length) {
      // Grows with what has come, not with what the peer says will come.
      const room = Math.max(held, Math.min(this.#needed, Math.max(MIN_ROOM_BYTES, held * 2)));
      if (!this.#share.add(room - this.#partial.length)) {
        throw new PeerError(`frame: no room left for ${this.#needed} bytes that are still coming`);
      }
      const larger = new Uint8Array(room);
      larger.set(this.#partial.subarray(0, this.#held));
      this.#partial = larger;
    }
    this.#partial.set(part, this.#held);
    this.#held = held;
  }

  #size(data: Uint8Array, at: number): number {
    const length = u32(data, at), headerLength = u32(data, at + 10);
    const kind = data[at + 4]! & ~MORE;
    if (kind < Kind.REQUEST || kind > Kind.CANCEL) {
      throw new PeerError(`frame: unknown kind ${kind}`);
    }
    const maxPayload = MAX_PAYLOAD[kind]!;
    if (data[at + 4]! & MORE && maxPayload < MAX_PAYLOAD_BYTES) {
      throw new PeerError(`frame: more content announced after kind ${kind}`);
    }
    const maxHeader = this.maxHeader(data[at + 5]!, kind);
    if (headerLength > maxHeader) {
      throw new PeerError(`frame: header of ${headerLength} bytes exceeds ${maxHeader}`);
    }
    const payload = length - (FIXED_BYTES - 4) - headerLength;
    if (payload < 0 || payload > maxPayload) {
      throw new PeerError(`frame: payload of ${payload} bytes exceeds ${maxPayload}`);
    }
    if (kind === Kind.CREDIT && payload !== 4) {
      throw new PeerError(`frame: credit of ${payload} bytes is not 4`);
    }
    return length + 4;
  }
}

/** A frame that is nothing but content. */
function flows(data: Uint8Array, at: number): boolean {
  return (data[at + 4]! & ~MORE) === Kind.CHUNK && u32(data, at + 10) === 0;
}

function parse(data: Uint8Array, at: number, size: number): Frame {
  const header = at + FIXED_BYTES, payload = header + u32(data, at + 10);
  return {
    kind: data[at + 4]! & ~MORE,
    more: (data[at + 4]! & MORE) !== 0,
    call: data[at + 5]!,
    conversation: u32(data, at + 6),
    header: data.subarray(header, payload),
    payload: data.subarray(payload, at + size),
  };
}

function u32(data: Uint8Array, at: number): number {
  return ((data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8) | data[at + 3]!) >>> 0;
}

function setU32(data: Uint8Array, at: number, value: number): void {
  data[at] = value >>> 24;
  data[at + 1] = value >>> 16;
  data[at + 2] = value >>> 8;
  data[at + 3] = value;
}

/** How many more bytes a CREDIT frame allows. */
export function credit(frame: Frame): number {
  return u32(frame.payload, 0);
}

/** The payload of a CREDIT frame. */
export function creditBytes(bytes: number): Uint8Array {
  const payload = allocate(4);
  setU32(payload, 0, bytes);
  return payload;
}
