/** What a session asks of the rest of the system. Tests give stubs. */

import type { Budget } from "../../shared/budget.ts";
import type { Envelope, Recipient } from "../../shared/mail/envelope.ts";
import type { Sendable } from "../../shared/ipc/content.ts";
import type { DnsAnswer, RecordType } from "../../shared/protocols/dns.ts";
import type { Recipient as RecipientAnswer } from "../../shared/rewrite_cache.ts";
import type { CleanupAnswer } from "./flow.ts";
import type { Space } from "./space.ts";

/** Answered at once where the answer is at hand. */
export type Maybe<T> = T | Promise<T>;

export interface Clock {
  /** The time of day, milliseconds since the epoch. */
  now(): number;
  /** For waits and ages: milliseconds by a clock that nobody can set. */
  steady(): number;
  sleep(milliseconds: number): Promise<void>;
}

/** What anvil counts beside connections. */
export type EventKind = "message" | "recipient" | "newtls";

/** Limits are a courtesy: an anvil that cannot be asked counts nothing. */
export interface Anvil {
  /** Counts a connection until `disconnect` is called. */
  connect(
    client: string,
  ): Promise<{ connections: number; rate: number; disconnect: () => void }>;
  event(client: string, kind: EventKind): Promise<number>;
}

export interface Services {
  readonly clock: Clock;
  readonly anvil: Anvil;
  readonly space: Space;
  /** What recipients of all sessions may take of memory. */
  readonly recipients: Budget;
  /** Where a recipient goes and whether it is listed; throws CallError. */
  recipient(sender: string, address: string): Maybe<RecipientAnswer>;
  /**
   * Hands a message to cleanup, which treats its headers as `local` ones or not, or the head of one whose body the queue has
   * under the key `body`; throws CallError.
   */
  submit(
    envelope: Envelope,
    recipients: Recipient[],
    content: Sendable,
    local: boolean,
    body?: string,
  ): Promise<CleanupAnswer>;
  /** Hands a body to the queue; what it resolves to ends its being kept there for a head. Throws CallError. */
  keepBody(queueId: string, key: string, body: AsyncIterable<Uint8Array>): Promise<() => void>;
  /** Asks a name server; a call that fails is an answer `fail`. */
  query(name: string, type: RecordType): Promise<DnsAnswer>;
  /** The client's host name, or `unknown`. */
  peerName(address: string): Maybe<string>;
  queueId(): string;
}
