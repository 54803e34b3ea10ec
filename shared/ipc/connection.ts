/** One unix socket between two processes: joined writes, frames in, and the end of it told once. */

import type { Socket } from "node:net";
import { PeerError, reason } from "../errors.ts";
import { concat, encode, type Frame, FrameReader } from "./frame.ts";

/** A peer that does not read for so long that this much waits is cut off. */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024;
/** Parts up to this size are joined by copying; larger ones are written as they are. */
const JOIN_BYTES = 32 * 1024;

export class Connection {
  #parts: Uint8Array[] = [];
  #scheduled = false;
  #closed = false;

  constructor(
    readonly socket: Socket,
    maxHeader: (call: number, kind: number) => number,
    take: (frame: Frame) => void,
    onClose: (error: PeerError) => void,
  ) {
    const reader = new FrameReader(maxHeader);
    const close = (error: PeerError) => {
      if (this.#closed) return;
      this.#closed = true;
      socket.destroy();
      onClose(error);
    };
    socket.on("data", (data: Uint8Array) => {
      try {
        if (!this.#closed) reader.push(data, take);
      } catch (error) {
        close(error instanceof PeerError ? error : new PeerError(reason(error)));
      }
    });
    socket.on("error", (error) => close(new PeerError(error.message)));
    socket.on("close", () => close(new PeerError("connection closed")));
    socket.on("end", () => close(new PeerError("connection closed")));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Queues a frame; what is queued in one turn of the event loop leaves in one write. */
  send(
    kind: number,
    call: number,
    conversation: number,
    header?: Uint8Array,
    payload?: Uint8Array,
  ): void {
    if (this.#closed) return;
    this.#parts.push(...encode(kind, call, conversation, header, payload));
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  /** Ends the connection after what is queued has been written. */
  end(): void {
    this.#flush();
    this.socket.end();
  }

  destroy(why: string): void {
    this.socket.destroy(new Error(why));
  }

  #flush(): void {
    this.#scheduled = false;
    const parts = this.#parts;
    this.#parts = [];
    if (this.#closed || !parts.length) return;
    if (this.socket.writableLength > MAX_UNSENT_BYTES) return this.destroy("peer does not read");
    let from = 0;
    for (let i = 0; i < parts.length; i++) {
      if (parts[i]!.length <= JOIN_BYTES) continue;
      this.#write(parts.slice(from, i));
      this.socket.write(parts[i]!);
      from = i + 1;
    }
    this.#write(from ? parts.slice(from) : parts);
  }

  #write(parts: Uint8Array[]): void {
    if (parts.length === 1) this.socket.write(parts[0]!);
    else if (parts.length) this.socket.write(concat(parts));
  }
}
