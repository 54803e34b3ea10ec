/** The answering side: handlers for a service's calls, on any number of connections. */

import type { Socket } from "node:net";
import { Budget } from "../budget.ts";
import { counter } from "../counters.ts";
import { BugError, PeerError, reason, StorageError } from "../errors.ts";
import { panic } from "../log/log.ts";
import { seldom } from "../log/seldom.ts";
import { callTable, encodeHeader, headerLimit } from "./check.ts";
import { Connection } from "./connection.ts";
import { Content, type Sendable, sendContent, type Sender } from "./content.ts";
import type { Calls, ReplyOf, RequestOf, Service } from "./declare.ts";
import { encodeFailure, isBug } from "./failure.ts";
import { credit, creditBytes, type Frame, Kind } from "./frame.ts";

/** How much callers may have open at once. */
export interface CallerLimits {
  readonly connections: number;
  /** Who goes when there is one more: roles stay connected, users ask once and leave. */
  readonly surplus: "newest" | "oldest";
  /** On one connection; with more, the peer is broken. */
  readonly conversations: number;
  /** So many milliseconds after drain() began no caller is waited for any more. */
  readonly drainMs: number;
}

/** Other roles: how many connections they need in this system, the supervisor says (`Answerer.allow`). */
export const ROLES: CallerLimits = {
  connections: 100,
  surplus: "newest",
  conversations: 50_000,
  drainMs: Infinity,
};
/** Commands of any local user: they ask once and leave, and must not get at the role's descriptors and memory. */
export const ANY_USER: CallerLimits = {
  connections: 100,
  surplus: "oldest",
  conversations: 8,
  drainMs: 2000,
};
/** A call that crosses with the goodbye arrives within this. */
const CROSSING_MS = 200;

/** More bad requests than this on one connection: the peer is broken. */
const MAX_BAD_REQUESTS = 100;

/**
 * What requests in hand hold in this process, in bytes of their headers beyond an ordinary one each. Parsed they are up to
 * four times as long. Without it a caller asks for the longest thing again and again and never sends the content.
 */
export const IN_HAND = new Budget("long requests in hand", 64 * 1024 * 1024, 2048);

const refused = counter("ipc_refused_requests", "requests that were not of the declared shape");

/** A reply with content behind it. */
export class Streamed<R> {
  /** `over` is told once when no more of the content is sent, to its end or not. */
  constructor(readonly reply: R, readonly content: Sendable, readonly over = () => {}) {}
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
  /** Takes so many connections, where roles are the callers; how many users may have, no system decides. */
  allow(connections: number): void;
  /**
   * Asks callers to go elsewhere; resolves when each has left, so that a call that crosses with it is answered. Users need not
   * listen: those without a call under way are ended, and soon all others.
   */
  drain(): Promise<void>;
  /** Conversations under way. */
  readonly busy: number;
  readonly connections: number;
}

/** Binds handlers to a service. */
export function answer<C extends Calls>(
  service: Service<C>,
  handlers: Handlers<C>,
  callers = ROLES,
): Answerer {
  const table = callTable(service);
  const limit = headerLimit(service);
  const peers = new Set<Peer>();
  // One for all connections: whoever is cut off comes again.
  const warn = seldom();
  let drained: (() => void) | undefined;
  let most = callers.connections;
  return {
    service: service.name,
    get busy() {
      let sum = 0;
      for (const peer of peers) sum += peer.open.size;
      return sum;
    },
    get connections() {
      return peers.size;
    },
    allow(connections) {
      if (callers.surplus === "newest") most = connections;
    },
    attach(socket) {
      if (peers.size >= most && callers.surplus === "newest") {
        warn(`${service.name}: ${most} connections are open: one more is refused`);
        return void socket.destroy();
      }
      // deno-lint-ignore no-explicit-any
      const any = handlers as any;
      const peer: Peer = new Peer(service.name, socket, table, any, callers, limit, warn, () => {
        peers.delete(peer);
        if (peers.size === 0) drained?.();
      });
      peers.add(peer);
      if (peers.size > most) {
        peers.values().next().value!.end("too many connections");
      }
      if (drained) peer.goAway();
    },
    async drain() {
      const { promise, resolve } = Promise.withResolvers<void>();
      drained = resolve;
      for (const peer of peers) peer.goAway();
      if (peers.size === 0) return;
      const endAfter = (ms: number, which: (peer: Peer) => boolean) =>
        setTimeout(() => [...peers].filter(which).forEach((peer) => peer.end("it leaves")), ms);
      const timers = callers.drainMs === Infinity ? [] : [
        endAfter(CROSSING_MS, (peer) => peer.open.size === 0),
        endAfter(callers.drainMs, () => true),
      ];
      await promise;
      timers.forEach(clearTimeout);
    },
  };
}

type Table = ReturnType<typeof callTable>;
type AnyHandler = (request: unknown, conversation: Conversation) => Promise<unknown>;

/** What a handler sees that reads on after its answer. */
const OVER = new PeerError("the conversation is over");

/** One conversation as the answerer sees it. */
class Open implements Conversation {
  sender: Sender | undefined;
  replied = false;
  #abort: AbortController | undefined;
  #ended = false;
  #settle: ((durable: boolean) => void) | undefined;
  #settled: Promise<boolean> | undefined;

  /** `long` is what its request takes of `IN_HAND`. */
  constructor(readonly call: number, readonly content: Content, private long: number) {}

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

  /** The handler is done with the request; until then it holds that, whether anybody waits or not. */
  answered(): void {
    if (this.long === 0) return;
    IN_HAND.give(this.long);
    this.long = 0;
  }

  /** The conversation is over: nothing more comes, and nobody waits. */
  end(): void {
    this.content.fail(OVER);
    this.sender?.stop();
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
  #badRequests = 0;

  constructor(
    readonly service: string,
    socket: Socket,
    readonly table: Table,
    readonly handlers: Record<string, AnyHandler>,
    readonly callers: CallerLimits,
    readonly limit: (call: number, kind: number) => number,
    readonly warn: (text: string) => void,
    closed: () => void,
  ) {
    this.#connection = new Connection(socket, limit, (frame) => this.#take(frame), (error) => {
      for (const open of this.open.values()) open.abandon(error);
      this.open.clear();
      closed();
    }, warn);
  }

  end(why: string): void {
    this.#connection.destroy(why);
  }

  goAway(): void {
    this.#connection.send(Kind.GOAWAY, 0, 0);
  }

  #take(frame: Frame): void {
    if (frame.kind === Kind.REQUEST) return this.#begin(frame);
    if (!FROM_CALLER.has(frame.kind)) {
      throw new PeerError(`${this.service}: kind ${frame.kind} from a caller`);
    }
    const id = frame.conversation, open = this.open.get(id);
    if (!open) return; // Late frames of a conversation that has ended.
    if (open.call !== frame.call) throw new PeerError(`${this.service}: call changed`);
    if (frame.kind === Kind.CHUNK) open.content.push(frame.payload, frame.more);
    else if (frame.kind === Kind.CREDIT) open.sender?.credit(credit(frame));
    else if (frame.kind === Kind.CANCEL) {
      open.abandon(new PeerError("the caller gave up"));
      this.open.delete(id);
    } else {
      if (!open.replied || !this.table[open.call]!.call.settles) {
        throw new PeerError(`${this.service}: nothing to settle`);
      }
      open.settle(true);
      this.#end(id, open);
    }
  }

  #begin(frame: Frame): void {
    const entry = this.table[frame.call]!;
    const id = frame.conversation;
    if (this.open.has(id)) throw new PeerError(`${this.service}: conversation ${id} twice`);
    if (this.open.size >= this.callers.conversations) {
      throw new PeerError(`${this.service}: over ${this.callers.conversations} conversations`);
    }
    let request: unknown;
    try {
      request = entry.request.decode(frame.header);
      if (!entry.call.contentIn && (frame.more || frame.payload.length)) {
        throw new PeerError(`${entry.request.what}: content where none is declared`);
      }
    } catch (error) {
      return this.#refuse(frame, error);
    }
    const content = new Content(frame.payload, frame.more, (bytes) => {
      if (this.open.get(id) !== open) return;
      this.#connection.send(Kind.CREDIT, frame.call, id, undefined, creditBytes(bytes));
    });
    const long = Math.max(0, frame.header.length - IN_HAND.freeBytes);
    if (long && !IN_HAND.take(long)) {
      return this.#sendError(
        frame.call,
        id,
        new StorageError("no room in memory for a long request"),
      );
    }
    const open = new Open(frame.call, content, long);
    this.open.set(id, open);
    try {
      this.handlers[entry.name]!(request, open).then(
        (answer) => this.#reply(id, open, answer),
        (error) => this.#fail(id, open, error),
      );
    } catch (error) {
      this.#fail(id, open, error); // A handler that is not async and throws.
    }
  }

  #refuse(frame: Frame, error: unknown): void {
    refused.add();
    if (++this.#badRequests > MAX_BAD_REQUESTS) throw error;
    this.warn(`ipc: ${reason(error)}`);
    this.#sendError(frame.call, frame.conversation, error);
  }

  #sendError(call: number, id: number, error: unknown): void {
    this.#connection.send(Kind.ERROR, call, id, encodeFailure(error));
  }

  #reply(id: number, open: Open, answer: unknown): void {
    open.answered();
    const streamed = answer instanceof Streamed ? answer : undefined;
    if (this.open.get(id) !== open) return streamed?.over();
    const { call } = this.table[open.call]!;
    let header: Uint8Array;
    try {
      header = this.#header(open.call, streamed ? streamed.reply : answer);
    } catch (error) {
      streamed?.over();
      return this.#fail(id, open, error);
    }
    open.replied = true;
    if (!streamed) {
      this.#connection.send(Kind.REPLY, open.call, id, header);
      if (!call.settles) this.#end(id, open);
      return;
    }
    const { content, over } = streamed;
    sendContent(this.#connection, Kind.REPLY, open.call, id, header, content, (sender) => {
      open.sender = sender;
    }).finally(over).then(() => this.#end(id, open), (error) => {
      this.warn(`${this.service}: reply content: ${reason(error)}`);
      this.#fail(id, open, error);
    });
  }

  /** A reply that the caller would have to refuse must not end the connection for all others. */
  #header(call: number, reply: unknown): Uint8Array {
    const header = encodeHeader(reply), limit = this.limit(call, Kind.REPLY);
    if (header.length <= limit) return header;
    const { reply: { what } } = this.table[call]!;
    throw new BugError(`${what}: ${header.length} bytes exceed ${limit}`);
  }

  #fail(id: number, open: Open, error: unknown): void {
    open.answered();
    if (isBug(error)) {
      const { name } = this.table[open.call]!;
      panic(`${this.service}.${name}: ${error instanceof Error ? error.stack : error}`);
    }
    if (this.open.get(id) !== open) return;
    this.#sendError(open.call, id, error);
    this.#end(id, open);
  }

  #end(id: number, open: Open): void {
    if (this.open.get(id) === open) this.open.delete(id);
    open.end();
  }
}

/** What a caller may send beside a request. */
const FROM_CALLER: ReadonlySet<number> = new Set([
  Kind.CHUNK,
  Kind.CREDIT,
  Kind.SETTLE,
  Kind.CANCEL,
]);
