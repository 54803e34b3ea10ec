/** One unix socket between two processes: joined writes, frames in, and the end of it told once. */

import type { Socket } from "node:net";
import { counter } from "../counters.ts";
import { PeerError, reason } from "../errors.ts";
import { panic, warning } from "../log/log.ts";
import { encode, type Frame, FrameReader } from "./frame.ts";

/** A peer that does not read for so long that this much waits is cut off. */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024;
/** Streams pause while this much waits: a stalled reader must not fill our memory. */
const PAUSE_BYTES = 1024 * 1024;
/** Parts up to this size are joined by copying: what one read gives, and the 14 bytes before it, cost more as two writes. */
const JOIN_BYTES = 80 * 1024;
/** How much one write of joined parts takes. */
const ROOM_BYTES = 128 * 1024;

/** What connecting fails with while a service is being started, or its backlog is full. */
const NOT_YET: ReadonlySet<unknown> = new Set(["ECONNREFUSED", "ENOENT", "EAGAIN"]);
/** How soon it is tried again. */
const RETRY_MS = 20;

/** How a caller gets its socket. */
export interface Dial {
  connect(): Socket;
  /** Keep trying for so long while nobody listens. */
  readonly patienceMs: number;
}

/** Room that there is not yet. */
export interface Room {
  readonly there: Promise<void>;
  /** Waits no longer: `there` resolves. */
  leave(): void;
}

const broken = counter(
  "ipc_broken_connections",
  "connections ended because a peer broke the rules",
);

export class Connection {
  #parts: Uint8Array[] = [];
  #queuedBytes = 0;
  #scheduled = false;
  #closed = false;
  #waiting = new Set<() => void>();
  #ending = false;
  #connected = false;
  #giveUpAt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #socket: Socket;
  #reader: FrameReader;

  /** Takes a connected socket, or makes one. */
  constructor(
    peer: Socket | Dial,
    maxHeader: (call: number, kind: number) => number,
    readonly take: (frame: Frame) => void,
    readonly onClose: (error: PeerError) => void,
    readonly warn: (text: string) => void = warning,
  ) {
    this.#reader = new FrameReader(maxHeader);
    if ("patienceMs" in peer) {
      this.#giveUpAt = performance.now() + peer.patienceMs;
      this.#socket = this.#dial(peer);
    } else {
      this.#connected = true;
      this.#socket = peer;
      this.#attach(peer);
    }
  }

  #dial(dial: Dial): Socket {
    const socket = dial.connect();
    socket.once("connect", () => {
      this.#connected = true;
      this.#flush();
      if (this.#ending) socket.end();
    });
    const notYet = (error: Error & { code?: string }) => {
      if (!this.#connected && NOT_YET.has(error.code) && performance.now() < this.#giveUpAt) {
        socket.removeAllListeners();
        this.#retry = setTimeout(() => this.#socket = this.#dial(dial), RETRY_MS);
      } else this.#close(new PeerError(error.message));
    };
    this.#attach(socket, notYet);
    return socket;
  }

  #attach(
    socket: Socket,
    onError = (error: Error) => this.#close(new PeerError(error.message)),
  ): void {
    socket.on("data", (data: Uint8Array) => {
      try {
        // A plain view: Buffer's own slice() would not copy, and its subarray() is slow.
        const plain = new Uint8Array(data.buffer, data.byteOffset, data.length);
        if (!this.#closed) this.#reader.push(plain, this.take);
      } catch (error) {
        this.#violated(error);
      }
    });
    socket.on("drain", () => this.#resume());
    socket.on("error", onError);
    socket.on("close", () => this.#close(new PeerError("connection closed")));
    socket.on("end", () => this.#close(new PeerError("connection closed")));
    this.#flush();
  }

  #close(error: PeerError): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#parts = [];
    this.#reader.end();
    this.#resume();
    this.#socket.destroy();
    this.onClose(error);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Queues a frame; small frames of one turn of the event loop leave together. */
  send(
    kind: number,
    call: number,
    conversation: number,
    header?: Uint8Array,
    payload?: Uint8Array,
  ): void {
    if (this.#closed) return;
    for (const part of encode(kind, call, conversation, header, payload)) {
      this.#parts.push(part);
      this.#queuedBytes += part.length;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  /** What a stream waits for before its next chunk; undefined when there is room now. */
  room(): Room | undefined {
    if (this.#closed || this.#unsent() < PAUSE_BYTES) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    return {
      there: promise,
      leave: () => {
        this.#waiting.delete(resolve);
        resolve();
      },
    };
  }

  /** Ends the connection after what is queued has been written; at once when it was never made. */
  end(): void {
    if (this.#closed) return;
    this.#ending = true;
    if (this.#retry && !this.#connected) return this.#close(new PeerError("connection closed"));
    if (!this.#connected) return;
    this.#flush();
    this.#socket.end();
  }

  /** Ends the connection now. */
  destroy(why: string): void {
    this.#close(new PeerError(why));
  }

  #unsent(): number {
    return this.#queuedBytes + this.#socket.writableLength;
  }

  /** The peer does not keep to the rules, or we do not: either way nothing more can be believed here. */
  #violated(error: unknown): void {
    if (this.#closed) return;
    broken.add();
    if (error instanceof PeerError) this.warn(`ipc: ${error.message}: connection ended`);
    else panic(`ipc: ${error instanceof Error ? error.stack : error}`);
    this.#close(error instanceof PeerError ? error : new PeerError(reason(error)));
  }

  #resume(): void {
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  #flush(): void {
    this.#scheduled = false;
    const parts = this.#parts;
    if (this.#closed || !parts.length) return;
    if (this.#unsent() > MAX_UNSENT_BYTES) {
      return this.#violated(new PeerError("peer does not read"));
    }
    if (!this.#connected) return;
    this.#parts = [];
    this.#queuedBytes = 0;
    let from = 0;
    for (let i = 0; i < parts.length; i++) {
      if (parts[i]!.length <= JOIN_BYTES) continue;
      this.#write(parts.slice(from, i));
      this.#socket.write(parts[i]!);
      from = i + 1;
    }
    this.#write(from ? parts.slice(from) : parts);
    // Where the kernel took everything at once, no drain event will follow.
    if (this.#unsent() < PAUSE_BYTES) this.#resume();
  }

  #write(parts: Uint8Array[]): void {
    if (parts.length === 1) this.#socket.write(parts[0]!);
    else if (parts.length) writeJoined(parts, this.#socket);
  }
}

/** Where parts are joined: the same bytes again and again, because it costs several times as much to make new ones. */
let room = new Uint8Array(ROOM_BYTES);

function writeJoined(parts: readonly Uint8Array[], socket: Socket): void {
  let used = 0;
  for (const part of parts) {
    if (used + part.length > ROOM_BYTES) {
      writeRoom(used, socket);
      used = 0;
    }
    room.set(part, used);
    used += part.length;
  }
  writeRoom(used, socket);
}

function writeRoom(used: number, socket: Socket): void {
  const waits = socket.writableLength > 0, bytes = room.subarray(0, used);
  // What waits behind others would keep a room for each few bytes.
  socket.write(waits ? bytes.slice() : bytes);
  // What the kernel has not taken yet must stay as it is.
  if (!waits && socket.writableLength) room = new Uint8Array(ROOM_BYTES);
}
