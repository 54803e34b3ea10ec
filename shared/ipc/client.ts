/** The calling side: one connection to a service, made when needed, made again when lost. */

import { connect as netConnect } from "node:net";
import { PeerError, reason } from "../errors.ts";
import { callTable, encodeHeader, headerLimit } from "./check.ts";
import { Connection } from "./connection.ts";
import { Content, type Sendable, type Sender } from "./content.ts";
import type { Calls, ReplyOf, RequestOf, Service } from "./declare.ts";
import { CallError, decodeFailure } from "./failure.ts";
import { type Frame, Kind } from "./frame.ts";
import { credit, creditBytes, sendContent } from "./server.ts";

/** How often deadlines are looked at: no timer per call. */
const SWEEP_MS = 1000;

/** What a call brings back. */
export interface Answered<R> {
  readonly reply: R;
  /** The reply's content; empty where the call declares none. */
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
  close(): void;
}

/** How a client reaches its service. */
export interface Reach {
  /** The service's socket. */
  readonly path: string;
  /** Told before each new connection: the supervisor starts the service if it is a rare one. */
  readonly want?: () => void;
}

interface Pending {
  readonly call: number;
  readonly deadline: number;
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
    if (!this.#line || this.#line.leaving) {
      this.reach.want?.();
      this.#line = new Line(this.service.name, this.reach.path, this.#table, this.#limit);
    }
    const number = this.#numbers.get(name)!;
    return this.#line.call(number, request, content) as Promise<Answered<ReplyOf<C, N>>>;
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
  #next = 1;
  #sweep: ReturnType<typeof setInterval> | undefined;
  /** No new calls here: closed, or the answerer asked to go elsewhere. */
  leaving = false;

  constructor(
    readonly service: string,
    path: string,
    readonly table: ReturnType<typeof callTable>,
    limit: (call: number, kind: number) => number,
  ) {
    const socket = netConnect(path);
    this.#connection = new Connection(socket, limit, (frame) => this.#take(frame), (error) => {
      this.leaving = true;
      clearInterval(this.#sweep);
      for (const [id, pending] of this.#open) this.#break(id, pending, error);
    });
  }

  call(number: number, request: unknown, content?: Sendable): Promise<Answered<unknown>> {
    const { call, name } = this.table[number]!;
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const seconds = call.deadlineSeconds;
      const deadline = seconds ? Date.now() + seconds * 1000 : Infinity;
      const pending: Pending = { call: number, deadline, resolve, reject };
      this.#open.set(id, pending);
      this.#sweep ??= setInterval(() => this.#expire(), SWEEP_MS);
      const header = encodeHeader(request);
      if (content === undefined) {
        return this.#connection.send(Kind.REQUEST, number, id, header);
      }
      sendContent(this.#connection, Kind.REQUEST, number, id, header, content, (sender) => {
        pending.sender = sender;
      }).catch((error) => {
        // The caller's own stream failed: there is nothing more to say in this conversation.
        this.#connection.send(Kind.CANCEL, number, id);
        if (this.#open.delete(id)) {
          reject(error instanceof Error ? error : new PeerError(`${name}: ${reason(error)}`));
        }
      });
    });
  }

  close(): void {
    this.leaving = true;
    this.#connection.end();
  }

  #take(frame: Frame): void {
    if (frame.kind === Kind.GOAWAY) {
      this.leaving = true;
      return this.#finish();
    }
    const id = frame.conversation;
    const pending = this.#open.get(id);
    if (!pending) return; // We gave up on it.
    if (frame.kind === Kind.CREDIT) pending.sender?.credit(credit(frame));
    else if (frame.kind === Kind.REPLY) this.#answered(id, pending, frame);
    else if (frame.kind === Kind.CHUNK && pending.content) {
      pending.content.push(frame.payload, frame.more);
      if (!frame.more) this.#done(id); // No call both settles and answers with content.
    } else if (frame.kind === Kind.ERROR) {
      pending.sender?.stop();
      const error = decodeFailure(this.service, frame.header);
      pending.content?.fail(error);
      pending.reject(error);
      this.#done(id);
    } else throw new PeerError(`${this.service}: kind ${frame.kind} out of place`);
  }

  #answered(id: number, pending: Pending, frame: Frame): void {
    if (pending.content) throw new PeerError(`${this.service}: two replies`);
    pending.sender?.stop();
    const { reply: checker, call } = this.table[pending.call]!;
    const reply = checker.decode(frame.header);
    if (!call.contentOut && (frame.more || frame.payload.length)) {
      throw new PeerError(`${checker.what}: content where none is declared`);
    }
    const content = new Content(frame.payload, frame.more, (bytes) => {
      this.#connection.send(Kind.CREDIT, pending.call, id, undefined, creditBytes(bytes));
    });
    pending.content = content;
    if (!frame.more && !call.settles) this.#done(id);
    const settle = () => {
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

  #break(id: number, pending: Pending, error: PeerError): void {
    this.#open.delete(id);
    const failure = new CallError("unavailable", `${this.service}: ${error.message}`);
    pending.sender?.stop();
    pending.content?.fail(failure);
    pending.reject(failure);
  }

  #expire(): void {
    const now = Date.now();
    for (const [id, pending] of this.#open) {
      if (pending.deadline > now || pending.content) continue;
      this.#open.delete(id);
      this.#connection.send(Kind.CANCEL, pending.call, id);
      pending.sender?.stop();
      pending.reject(new CallError("deadline", `${this.service}: no answer in time`));
    }
    if (this.#open.size === 0) {
      clearInterval(this.#sweep);
      this.#sweep = undefined;
    }
  }
}
