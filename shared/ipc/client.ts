/** The calling side: one connection to a service, made when needed, made again when lost. */

import { connect as netConnect } from "node:net";
import { counter } from "../counters.ts";
import { PeerError, reason } from "../errors.ts";
import { warning } from "../log/log.ts";
import { callTable, encodeHeader, headerLimit } from "./check.ts";
import { Connection } from "./connection.ts";
import { Content, type Sendable, sendContent, type Sender } from "./content.ts";
import type { Calls, ReplyOf, RequestOf, Service } from "./declare.ts";
import { CallError, decodeFailure } from "./failure.ts";
import { credit, creditBytes, type Frame, Kind } from "./frame.ts";

/** How often deadlines are looked at: no timer per call. */
const SWEEP_MS = 1000;
const MAX_CONVERSATION = 0xffff_ffff;

const refused = counter("ipc_refused_replies", "replies that were not of the declared shape");

/** What a call brings back. */
export interface Answered<R> {
  readonly reply: R;
  /** The reply's content; empty where the call declares none. Read it, or leave its loop: that cancels the rest. */
  readonly content: Content;
  /** For calls that settle: tells the answerer that the reply is durable. */
  settle(): void;
}

export interface Client<C extends Calls> {
  /** Asks; throws CallError when there is no answer. */
  call<N extends keyof C & string>(
    name: N,
    request: RequestOf<C, N>,
    content?: Sendable,
  ): Promise<Answered<ReplyOf<C, N>>>;
  /** Ends the connection after what was said has been sent; calls under way fail as unavailable. */
  close(): void;
}

/** How a client reaches its service. */
export interface Reach {
  /** The service's socket. */
  readonly path: string;
  /** Told before each new connection: the supervisor starts the service if it is a rare one. */
  readonly want?: () => void;
  /** How long a call waits for somebody to listen, milliseconds; 0 (the default) fails at once. */
  readonly patienceMs?: number;
}

interface Pending {
  readonly call: number;
  /** By performance.now(). */
  readonly began: number;
  readonly resolve: (answered: Answered<unknown>) => void;
  readonly reject: (error: Error) => void;
  sender?: Sender;
  content?: Content;
}

export function client<C extends Calls>(service: Service<C>, reach: Reach): Client<C> {
  return new ServiceClient(service, reach);
}

class ServiceClient<C extends Calls> implements Client<C> {
  #table;
  #limit;
  #numbers = new Map<string, number>();
  #line: Line | undefined;

  constructor(readonly service: Service<C>, readonly reach: Reach) {
    this.#table = callTable(service);
    this.#limit = headerLimit(service);
    this.#table.forEach((entry, number) => this.#numbers.set(entry.name, number));
  }

  call<N extends keyof C & string>(
    name: N,
    request: RequestOf<C, N>,
    content?: Sendable,
  ): Promise<Answered<ReplyOf<C, N>>> {
    const number = this.#numbers.get(name)!;
    const header = encodeHeader(request), limit = this.#limit(number, Kind.REQUEST);
    // The answerer would end the connection, and every other call with it.
    if (header.length > limit) {
      const text =
        `${this.service.name}.${name}: request of ${header.length} bytes exceeds ${limit}`;
      return Promise.reject(new CallError("refused", text));
    }
    if (!this.#line || this.#line.leaving) {
      this.reach.want?.();
      this.#line = new Line(this.service.name, this.reach, this.#table, this.#limit);
    }
    return this.#line.call(number, header, content) as Promise<Answered<ReplyOf<C, N>>>;
  }

  close(): void {
    this.#line?.close();
    this.#line = undefined;
  }
}

/** One connection and the calls under way on it. */
class Line {
  #connection: Connection;
  #open = new Map<number, Pending>();
  #next = 0;
  #sweep: ReturnType<typeof setInterval> | undefined;
  /** No new calls here: closed, or the answerer asked to go elsewhere. */
  leaving = false;

  constructor(
    readonly service: string,
    { path, patienceMs = 0 }: Reach,
    readonly table: ReturnType<typeof callTable>,
    limit: (call: number, kind: number) => number,
  ) {
    const dial = { connect: () => netConnect(path), patienceMs };
    this.#connection = new Connection(dial, limit, (frame) => this.#take(frame), (error) => {
      this.leaving = true;
      clearInterval(this.#sweep);
      this.#breakAll(error);
    });
  }

  call(number: number, header: Uint8Array, content?: Sendable): Promise<Answered<unknown>> {
    const { name } = this.table[number]!;
    const id = this.#nextId();
    return new Promise((resolve, reject) => {
      const pending: Pending = { call: number, began: performance.now(), resolve, reject };
      this.#open.set(id, pending);
      this.#sweep ??= setInterval(() => this.#expire(), SWEEP_MS);
      if (content === undefined) {
        return this.#connection.send(Kind.REQUEST, number, id, header);
      }
      sendContent(this.#connection, Kind.REQUEST, number, id, header, content, (sender) => {
        pending.sender = sender;
      }).catch((error) => {
        // The caller's own stream failed: there is nothing more to say in this conversation.
        if (this.#open.get(id) !== pending) return;
        this.#cancel(id, pending);
        reject(error instanceof Error ? error : new PeerError(`${name}: ${reason(error)}`));
      });
    });
  }

  /** Conversation ids are 32 bits wide, and a busy connection uses them up in days. */
  #nextId(): number {
    do this.#next = this.#next % MAX_CONVERSATION + 1; while (this.#open.has(this.#next));
    return this.#next;
  }

  close(): void {
    this.leaving = true;
    clearInterval(this.#sweep);
    this.#connection.end();
    this.#breakAll(new PeerError("connection closed"));
  }

  #take(frame: Frame): void {
    if (frame.kind === Kind.GOAWAY) {
      this.leaving = true;
      return this.#finish();
    }
    if (frame.kind === Kind.REQUEST || frame.kind === Kind.SETTLE || frame.kind === Kind.CANCEL) {
      throw new PeerError(`${this.service}: kind ${frame.kind} from an answerer`);
    }
    const id = frame.conversation, pending = this.#open.get(id);
    if (!pending) return; // We gave up on it.
    if (pending.call !== frame.call) throw new PeerError(`${this.service}: call changed`);
    if (frame.kind === Kind.CREDIT) pending.sender?.credit(credit(frame));
    else if (frame.kind === Kind.REPLY) this.#answered(id, pending, frame);
    else if (frame.kind === Kind.ERROR) {
      this.#break(id, pending, decodeFailure(this.service, frame.header));
    } else if (!pending.content) throw new PeerError(`${this.service}: content before the reply`);
    else {
      pending.content.push(frame.payload, frame.more);
      if (!frame.more) this.#done(id); // No call both settles and answers with content.
    }
  }

  #answered(id: number, pending: Pending, frame: Frame): void {
    if (pending.content) throw new PeerError(`${this.service}: two replies`);
    const { reply: checker, call } = this.table[pending.call]!;
    let reply: unknown;
    try {
      reply = checker.decode(frame.header);
      if (!call.contentOut && (frame.more || frame.payload.length)) {
        throw new PeerError(`${checker.what}: content where none is declared`);
      }
    } catch (error) {
      refused.add();
      warning(`ipc: ${reason(error)}`);
      this.#cancel(id, pending);
      return pending.reject(new CallError("bug", reason(error)));
    }
    pending.sender?.stop();
    const content = pending.content = new Content(frame.payload, frame.more, (bytes) => {
      this.#connection.send(Kind.CREDIT, pending.call, id, undefined, creditBytes(bytes));
    }, () => {
      if (this.#open.get(id) === pending) this.#cancel(id, pending);
    });
    if (!frame.more && !call.settles) this.#done(id);
    const settle = () => {
      if (this.#open.get(id) !== pending) return;
      this.#connection.send(Kind.SETTLE, pending.call, id);
      this.#done(id);
    };
    pending.resolve({ reply, content, settle });
  }

  #done(id: number): void {
    this.#open.delete(id);
    if (this.leaving) this.#finish();
  }

  /** A connection that is being left is closed when its last call is over. */
  #finish(): void {
    if (this.#open.size === 0) this.#connection.end();
  }

  /** Tells the answerer that nobody waits any more. */
  #cancel(id: number, pending: Pending): void {
    pending.sender?.stop();
    this.#connection.send(Kind.CANCEL, pending.call, id);
    this.#done(id);
  }

  #break(id: number, pending: Pending, failure: CallError): void {
    pending.sender?.stop();
    pending.content?.fail(failure);
    pending.reject(failure);
    this.#done(id);
  }

  #breakAll(error: PeerError): void {
    const failure = new CallError("unavailable", `${this.service}: ${error.message}`);
    for (const [id, pending] of this.#open) this.#break(id, pending, failure);
  }

  #expire(): void {
    const now = performance.now();
    for (const [id, pending] of this.#open) {
      if (!this.#late(pending, now)) continue;
      const failure = new CallError("deadline", `${this.service}: no answer in time`);
      this.#connection.send(Kind.CANCEL, pending.call, id);
      this.#break(id, pending, failure);
    }
    if (this.#open.size === 0) {
      clearInterval(this.#sweep);
      this.#sweep = undefined;
    }
  }

  /** No reply for so long since the last of the request was sent, or none of its content for as long. */
  #late({ call, began, sender, content }: Pending, now: number): boolean {
    const { deadlineSeconds } = this.table[call]!.call;
    const since = content ? content.waitingSince : Math.max(began, sender?.sentAt ?? began);
    return deadlineSeconds > 0 && since + deadlineSeconds * 1000 <= now;
  }
}
