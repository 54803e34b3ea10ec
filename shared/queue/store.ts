/**
 * The queue behind one asynchronous interface: what is promised here must hold for any store, on one machine or on
 * several. No SQL, transaction or file shows through; the contract tests are what a further store has to pass.
 */

import { StorageError } from "../errors.ts";
import type { Envelope, Outcome, Recipient, Source } from "../mail/envelope.ts";
import type { Listed, Which } from "../protocols/queue.ts";

/** Where a message is; Postfix's names. The moves between them stand at the top of `sqlite_store.ts`. */
export type QueueName = "incoming" | "active" | "deferred" | "hold" | "corrupt";

/**
 * What is known of a recipient. `todo`: never tried. `deferred`: tried, to be tried again. `bounced` and `sent`: final, the
 * sender may still have to be told. `deliverable` and `undeliverable`: only verified, which is final, and the sender has to be
 * told. `done`: final, and told.
 */
export type RecipientState =
  | "todo"
  | "deferred"
  | "bounced"
  | "sent"
  | "deliverable"
  | "undeliverable"
  | "done";

/** Recipients that are still to be delivered. */
export const OPEN: readonly RecipientState[] = ["todo", "deferred"];

/** Content that waits outside memory for the commit that names it. */
export interface Spooled {
  readonly size: number;
}

/** The content of a new message: at hand when it is small, spooled when it is not. */
export type Kept = Uint8Array | Spooled;

/** A source that nobody settled: its submitter died, and does not come back after so long. */
export const SOURCE_AGE_MS = 30 * 24 * 3600 * 1000;

/** A message that arrives. */
export interface NewMessage {
  readonly envelope: Envelope;
  readonly recipients: readonly Recipient[];
  /** Aliases that were expanded into these: `sent`, and their sender has to be told. They are numbered behind them. */
  readonly expanded?: readonly Recipient[] | undefined;
  /** What comes before spooled content, and was kept apart from it; with content at hand there is none. */
  readonly head?: Uint8Array | undefined;
  readonly content: Kept;
  readonly queue: "active" | "incoming";
  /** Remembered with the message, so that the same submission is not queued twice; its `settled` are forgotten. */
  readonly source?: Source | undefined;
}

/** A message of the queue, without its recipients and content. */
export interface QueuedMessage {
  readonly envelope: Envelope;
  readonly queue: QueueName;
  /** Content bytes. */
  readonly size: number;
  /** How many recipients it came with. */
  readonly recipientCount: number;
  /** Milliseconds since the epoch of the next attempt. */
  readonly nextTry: number;
  /** The sender was told of the delay. */
  readonly warned: boolean;
  /** The sender was told of the first attempt, as the envelope's `trace` asked. */
  readonly traced: boolean;
}

/** A recipient, with its number in the message and its last outcome. */
export interface StoredRecipient extends Recipient {
  readonly n: number;
  readonly state: RecipientState;
  readonly outcome: Outcome | null;
}

/** A message goes to another queue, to be looked at again at `nextTry`. */
export interface Move {
  readonly queueId: string;
  readonly queue: QueueName;
  readonly nextTry: number;
  readonly warned?: boolean;
  readonly traced?: boolean;
}

/** Changes that become durable together, applied in the order of these fields. */
export interface Batch {
  readonly added: readonly NewMessage[];
  /** Counts only for recipients that are still open; others keep what they have. */
  readonly outcomes: readonly {
    readonly queueId: string;
    readonly outcomes: readonly Outcome[];
  }[];
  /** Recipients whose sender has been told. */
  readonly reported: readonly {
    readonly queueId: string;
    readonly recipients: readonly number[];
  }[];
  readonly moved: readonly Move[];
  readonly removed: readonly string[];
  /** Sources that will not come again. */
  readonly settled?: readonly string[];
}

/** What a commit did not do. Everything else is durable. */
export interface Committed {
  /** Messages whose queue id is taken already. */
  readonly refused: ReadonlySet<string>;
  /** Messages whose source is queued already, with the queue id that it got then. */
  readonly already: ReadonlyMap<NewMessage, string>;
}

/** What new mail may take, in bytes. */
export interface Room {
  /** Of the disk; below zero while what is kept for changes is not whole. */
  readonly disk: number;
  /** Beyond that, inside what the store has of the disk already; for content that is at hand. */
  readonly inside: number;
}

/** A page of due messages, earliest first; `next` continues after it and is undefined at the end. */
export interface Page {
  readonly messages: readonly QueuedMessage[];
  readonly next: unknown;
}

/** What can be read: all that showq needs. */
export interface QueueReader {
  /** Every message, oldest first, with the recipients that are not finished. */
  list(): AsyncIterable<Listed>;
  find(queueId: string): Promise<QueuedMessage | undefined>;
  /** Recipients in these states (all when empty) from number `from` on, at most `limit`. */
  recipients(
    queueId: string,
    states: readonly RecipientState[],
    from: number,
    limit: number,
  ): Promise<StoredRecipient[]>;
  /** How many recipients of a message are in each state. */
  tally(queueId: string): Promise<Record<RecipientState, number>>;
  /** Throws DamagedRecord when the content is not what was stored, StorageError when it cannot be read now. */
  content(queueId: string): Promise<Uint8Array | AsyncIterable<Uint8Array>>;
  close(): Promise<void>;
}

/**
 * The store that qmgr owns. Every method throws StorageError when the disk or the database cannot be used now. On a full disk
 * only new mail is refused: for changes some space is kept.
 */
export interface QueueStore extends QueueReader {
  /** Changes have used what is kept for them: what `room` answered before is not so any more. */
  readonly strained: boolean;
  /** How much new mail may take now. Throws what the system says when it cannot be seen. */
  room(): Room;
  /** Gives space back to the disk that can be done without: there is little room for new mail. */
  shrink(): void;
  /** Takes content in with back-pressure. A source that fails, or ends before `signal` aborts, leaves nothing behind. */
  keep(
    queueId: string,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Kept>;
  /** The same, outside memory however small it is: nobody knows when it will be committed. */
  spool(
    queueId: string,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Spooled>;
  /** Forgets content that will not be committed. */
  discard(content: Kept): Promise<void>;
  /** The queue id that a submission of this source got; undefined when it is not remembered. */
  queuedAs(sourceId: string): Promise<string | undefined>;
  /**
   * Makes a batch durable: all of it, less what is refused, or nothing. When that is not known it throws, too: what was added is
   * taken back then, other changes may stand.
   */
  commit(batch: Batch): Promise<Committed>;
  /** Messages of a queue that would be due after `latest` are due at `now`; resolves to how many. */
  hasten(queue: "incoming" | "deferred", now: number, latest: number): Promise<number>;
  /** Messages of a queue that are due at `now`; damaged ones go to corrupt and are left out. */
  due(queue: "incoming" | "deferred", now: number, limit: number, after?: unknown): Promise<Page>;
  /**
   * At start: what was active when the former owner ended becomes incoming, due at `nextTry`; resolves to how many. Sources
   * that nobody settled are forgotten when they are older than `SOURCE_AGE_MS`.
   */
  recover(nextTry: number): Promise<number>;
  /** Now and then: forgets some of the sources that nobody settled and that are older than `SOURCE_AGE_MS` at `now`. */
  forget(now: number): Promise<void>;

  // For operators. These leave active messages alone and resolve to how many messages they changed.
  /** incoming, deferred -> hold. */
  hold(which: Which): Promise<number>;
  /** hold -> incoming. */
  release(which: Which): Promise<number>;
  /** incoming, deferred, hold, corrupt -> incoming. */
  requeue(which: Which): Promise<number>;
  /** incoming, deferred, hold, corrupt -> removed. */
  remove(which: Which): Promise<number>;
  /** deferred -> incoming: everything, or what has an open recipient at `site`. */
  retry(which: Which, site?: string): Promise<number>;
}

/** The disk has no space for what was to be written. */
export class FullDisk extends StorageError {
  override name = "FullDisk";
}

/** A part of the disk that cannot be read now; the rest may be. */
export class UnreadablePart extends StorageError {
  override name = "UnreadablePart";
}

/** True for trouble that need not concern any other message. */
export function isOfOnePart(error: unknown): boolean {
  return error instanceof DamagedRecord || error instanceof UnreadablePart;
}

/** A record that cannot be what was written: its message goes to corrupt. */
export class DamagedRecord extends StorageError {
  override name = "DamagedRecord";
}
