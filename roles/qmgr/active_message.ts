/** An active message: what qmgr holds in memory of a message while its recipients are being delivered. */

import { BugError } from "../../shared/errors.ts";
import type { Envelope, Outcome, Recipient } from "../../shared/mail/envelope.ts";
import type { Entry } from "./scheduler/destination.ts";

/** A recipient and its number in the message. */
export type NumberedRecipient = Recipient & { readonly n: number };

/** What is to be done with an active message, whatever becomes of its recipients, when its deliveries have ended. */
export type Disposition = "hold" | "delete" | "requeue" | "corrupt";

export class ActiveMessage {
  /** The number of the first recipient that was not read from the store yet. */
  nextRecipient = 0;
  /** Recipients in memory that have no outcome yet. */
  held = 0;
  /** More recipients are read when no more than these are held, and while `reading` nobody else reads. */
  lowWater = 0;
  reading = false;
  readonly running: Entry<ActiveMessage>[] = [];
  /** Recipients that an agent still delivers for a former qmgr, or may have delivered before it died. */
  #withheld: Map<number, NumberedRecipient> | undefined;
  #left: PromiseWithResolvers<void> | undefined;
  /** Entries that wait, run, or were given back, until they are concluded; and steps that are being taken: routing, reading. */
  #parts = 0;
  /** The store has recipients that failed, that were delivered, or that wait for another attempt. */
  failed = false;
  delivered = false;
  deferred = false;
  /** Some recipient came with NOTIFY=SUCCESS. */
  wantsSuccess = false;
  /** The sender was told of the first attempt, where that was asked for. */
  traced = false;
  /** All parts have ended; the last changes are being made durable. */
  completing = false;
  /** The very last one is on its way: what is to become of the message is not changed any more. */
  decided = false;
  disposition: Disposition | undefined;
  /** How often agents died that had recipients of it, and when last. */
  #losses = 0;
  #lostAt = -Infinity;

  constructor(
    readonly envelope: Envelope,
    readonly size: number,
    readonly recipientCount: number,
    /** Milliseconds since the epoch. */
    readonly activeAt: number,
    /** The sender was told of the delay. */
    readonly warned: boolean,
    /** Small content of new mail, for the first attempt; otherwise it is read back from the store. */
    public content: Uint8Array | undefined,
  ) {}

  get queueId(): string {
    return this.envelope.queueId;
  }

  /** The sender is to have a report on every recipient, and has none. */
  get wantsTrace(): boolean {
    return this.envelope.trace !== undefined && !this.traced;
  }

  /** Recipients are left that were not read yet. */
  get unread(): boolean {
    return this.nextRecipient < this.recipientCount;
  }

  /** What has to end before the message is complete. */
  get pending(): number {
    return this.#parts + this.withheld;
  }

  /** The message has to wait for so many more parts. */
  begin(parts = 1): void {
    this.#parts += parts;
  }

  /** So many parts have ended; true when nothing is pending any more. Throws BugError for one that never began. */
  end(parts = 1): boolean {
    this.#parts -= parts;
    if (this.#parts < 0) throw new BugError(`${this.queueId}: more has ended than began`);
    return this.pending === 0;
  }

  /** Keeps a recipient out of the schedule; the message waits for it. */
  withhold(recipient: NumberedRecipient): void {
    this.#withheld ??= new Map();
    this.#withheld.set(recipient.n, recipient);
  }

  /** Takes a recipient back that was withheld; undefined for one that is not. */
  takeBack(n: number): NumberedRecipient | undefined {
    const recipient = this.#withheld?.get(n);
    this.#withheld?.delete(n);
    return recipient;
  }

  /** How many recipients are withheld. */
  get withheld(): number {
    return this.#withheld?.size ?? 0;
  }

  /** Resolves when the message is not active any more. */
  get left(): Promise<void> {
    this.#left ??= Promise.withResolvers();
    return this.#left.promise;
  }

  /** It is not active any more. */
  leave(): void {
    this.#left?.resolve();
  }

  /** Remembers what outcomes mean for the end of the message. */
  note(outcomes: readonly Outcome[]): void {
    for (const { status } of outcomes) {
      if (status === "sent") this.delivered = true;
      else if (status === "bounced") this.failed = true;
      else if (status === "deferred") this.deferred = true;
    }
  }

  /** An agent died that had recipients of it; answers how often that happened: all that is lost before they rested is one. */
  countLoss(now: number, restMs: number): number {
    if (now - this.#lostAt < restMs / 2) return this.#losses;
    this.#lostAt = now;
    return ++this.#losses;
  }

  isRunning(n: number): boolean {
    return this.running.some((entry) => entry.recipients.some((each) => each.n === n));
  }
}

/** Adds its number to a recipient; nothing else of what the store knows of it goes along. */
export function numbered(recipient: Recipient, n: number): NumberedRecipient {
  const { address, original, orcpt, notify } = recipient;
  return { n, address, original, orcpt, notify };
}
