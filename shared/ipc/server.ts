/** The answering side: handlers for a service's calls, on any number of connections. */

import type { Socket } from "node:net";
import { PeerError, reason } from "../errors.ts";
import { panic, warning } from "../log/log.ts";
import { callTable, encodeHeader, headerLimit } from "./check.ts";
import { Connection } from "./connection.ts";
import { Content, type Sendable, Sender } from "./content.ts";
import type { Calls, ReplyOf, RequestOf, Service } from "./declare.ts";
import { encodeFailure, isBug } from "./failure.ts";
import { type Frame, Kind, MORE } from "./frame.ts";

/** More conversations than this at once on one connection: the peer is broken. */
const MAX_CONVERSATIONS = 50_000;

/** A reply with content behind it. */
export class Streamed<R> {
  constructor(readonly reply: R, readonly content: Sendable) {}
}

/** What a handler has beside the request. */
export interface Conversation {
  /** The request's content; empty where the call declares none. */
  readonly content: Content;
  /** Aborts when the caller gives up or its connection ends before the reply (for `settles`: before it is settled). */
  readonly signal: AbortSignal;
  /** For calls that settle: true once the caller made the reply durable, false if it went away before. */
  readonly settled: Promise<boolean>;
}

export type Handlers<C extends Calls> = {
  [N in keyof C]: (
    request: RequestOf<C, N>,
    conversation: Conversation,
  ) => Promise<ReplyOf<C, N> | Streamed<ReplyOf<C, N>>>;
};

/** A service with its handlers; the role skeleton gives it connections. */
export interface Answerer {
  readonly service: string;
  attach(socket: Socket): void;
  /** Asks callers to go elsewhere; resolves when no conversation is left. */
  drain(): Promise<void>;
  /** Conversations under way. */
  readonly busy: number;
  readonly connections: number;
}

/** Binds handlers to a service. */
export function answer<C extends Calls>(service: Service<C>, handlers: Handlers<C>): Answerer {
  const table = callTable(service);
  const limit = headerLimit(service);
  const peers = new Set<Peer>();
  let drained: (() => void) | undefined;
  const busy = () => {
    let sum = 0;
    for (const peer of peers) sum += peer.open.size;
    return sum;
  };
  const changed = () => {
    if (drained && busy() === 0) drained();
  };
  return {
    service: service.name,
    get busy() {
      return busy();
    },
    get connections() {
      return peers.size;
    },
    attach(socket) {
      // deno-lint-ignore no-explicit-any
      const peer = new Peer(service.name, socket, table, handlers as any, limit, changed, () => {
        peers.delete(peer);
        changed();
      });
      peers.add(peer);
      if (drained) peer.goAway();
    },
    drain() {
      return new Promise<void>((resolve) => {
        drained = resolve;
        for (const peer of peers) peer.goAway();
        changed();
      });
    },
  };
}

type Table = ReturnType<typeof callTable>;
type AnyHandler = (request: unknown, conversation: Conversation) => Promise<unknown>;

/** One conversation as the answerer sees it. */
class Open implements Conversation {
  sender: Sender | undefined;
  replied = false;
  #abort: AbortController | undefined;
  #ended = false;
  #settle: ((durable: boolean) => void) | undefined;
  #settled: Promise<boolean> | undefined;

  constructor(readonly content: Content) {}

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#ended) this.#abort.abort();
    return this.#abort.signal;
  }

  get settled(): Promise<boolean> {
    this.#settled ??= this.#ended
      ? Promise.resolve(false)
      : new Promise((resolve) => (this.#settle = resolve));
    return this.#settled;
  }

  settle(durable: boolean): void {
    this.#settled ??= Promise.resolve(durable);
    this.#settle?.(durable);
  }

  /** The caller is gone. */
  abandon(error: PeerError): void {
    this.#ended = true;
    this.content.fail(error);
    this.sender?.stop();
    this.settle(false);
    this.#abort?.abort(error);
  }
}

/** One connected caller. */
class Peer {
  readonly open = new Map<number, Open>();
  #connection: Connection;

  constructor(
    readonly service: string,
    socket: Socket,
    readonly table: Table,
    readonly handlers: Record<string, AnyHandler>,
    limit: (call: number, kind: number) => number,
    readonly changed: () => void,
    closed: () => void,
  ) {
    this.#connection = new Connection(socket, limit, (frame) => this.#take(frame), (error) => {
      for (const open of this.open.values()) open.abandon(error);
      this.open.clear();
      closed();
    });
  }

  goAway(): void {
    this.#connection.send(Kind.GOAWAY, 0, 0);
  }

  #take(frame: Frame): void {
    if (frame.kind === Kind.REQUEST) return this.#begin(frame);
    const open = this.open.get(frame.conversation);
    if (!open) return; // Late frames of a conversation that has ended.
    if (frame.kind === Kind.CHUNK) open.content.push(frame.payload, frame.more);
    else if (frame.kind === Kind.CREDIT) open.sender?.credit(credit(frame));
    else if (frame.kind === Kind.SETTLE) {
      open.settle(true);
      this.#end(frame.conversation);
    } else if (frame.kind === Kind.CANCEL) {
      open.abandon(new PeerError("the caller gave up"));
      this.#end(frame.conversation);
    } else throw new PeerError(`${this.service}: kind ${frame.kind} from a caller`);
  }

  #begin(frame: Frame): void {
    const entry = this.table[frame.call]!;
    const id = frame.conversation;
    if (this.open.has(id)) throw new PeerError(`${this.service}: conversation ${id} twice`);
    if (this.open.size >= MAX_CONVERSATIONS) {
      throw new PeerError(`${this.service}: over ${MAX_CONVERSATIONS} conversations`);
    }
    let request: unknown;
    try {
      request = entry.request.decode(frame.header);
      if (!entry.call.contentIn && (frame.more || frame.payload.length)) {
        throw new PeerError(`${entry.request.what}: content where none is declared`);
      }
    } catch (error) {
      warning(`ipc: ${reason(error)}`);
      return this.#connection.send(Kind.ERROR, frame.call, id, encodeFailure(error));
    }
    const content = new Content(frame.payload, frame.more, (bytes) => {
      this.#connection.send(Kind.CREDIT, frame.call, id, undefined, creditBytes(bytes));
    });
    const open = new Open(content);
    this.open.set(id, open);
    this.handlers[entry.name]!(request, open).then(
      (answer) => this.#reply(frame.call, id, open, answer, entry.call.settles === true),
      (error) => this.#fail(frame.call, id, entry.name, error),
    );
  }

  #reply(call: number, id: number, open: Open, answer: unknown, settles: boolean): void {
    if (this.open.get(id) !== open) return;
    open.replied = true;
    const reply = answer instanceof Streamed ? answer.reply : answer;
    const header = encodeHeader(reply);
    if (!(answer instanceof Streamed)) {
      this.#connection.send(Kind.REPLY, call, id, header);
      if (!settles) this.#end(id);
      return;
    }
    sendContent(this.#connection, Kind.REPLY, call, id, header, answer.content, (sender) => {
      open.sender = sender;
    }).catch((error) => {
      warning(`${this.service}: reply content: ${reason(error)}`);
      this.#connection.send(Kind.ERROR, call, id, encodeFailure(error));
    }).finally(() => this.#end(id));
  }

  #fail(call: number, id: number, name: string, error: unknown): void {
    if (isBug(error)) {
      panic(`${this.service}.${name}: ${error instanceof Error ? error.stack : error}`);
    }
    this.#connection.send(Kind.ERROR, call, id, encodeFailure(error));
    this.#end(id);
  }

  #end(id: number): void {
    this.open.delete(id);
    this.changed();
  }
}

/** Content up to this travels inside the frame that it belongs to. */
const INLINE_BYTES = 128 * 1024;

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
  if (content instanceof Uint8Array && content.length <= INLINE_BYTES) {
    return connection.send(kind, call, id, header, content);
  }
  const sender = new Sender((chunk, more) =>
    connection.send(Kind.CHUNK | (more ? MORE : 0), call, id, undefined, chunk)
  );
  onSender(sender);
  connection.send(kind | MORE, call, id, header);
  await sender.send(content instanceof Uint8Array ? once(content) : content);
}

// deno-lint-ignore require-await
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export function credit(frame: Frame): number {
  if (frame.payload.length !== 4) throw new PeerError("ipc: malformed credit");
  return new DataView(frame.payload.buffer, frame.payload.byteOffset, 4).getUint32(0);
}

export function creditBytes(bytes: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, bytes);
  return payload;
}
