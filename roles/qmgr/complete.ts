/**
 * The end of a message's stay in the active queue (reference 2.5): nobody is left to deliver to now. The sender hears what has
 * to be heard; then the message is removed, or waits for its next attempt.
 */

import { reason, StorageError } from "../../shared/errors.ts";
import { expired, removed } from "../../shared/log/lines.ts";
import { warning } from "../../shared/log/log.ts";
import { MAX_RECIPIENTS, type Outcome } from "../../shared/mail/envelope.ts";
import { isVerified } from "../../shared/mail/verify.ts";
import {
  DamagedRecord,
  type QueueReader,
  type RecipientState,
  type StoredRecipient,
} from "../../shared/queue/store.ts";
import type { ActiveMessage } from "./active_message.ts";
import type { Clock } from "./clock.ts";
import type { Change } from "./change.ts";
import type { Committer } from "./committer.ts";
import type { Heard, ReportKind, Reports } from "./reports.ts";
import { expiry, isDelayed, nextTry, type RetrySettings } from "./retry_times.ts";
import { CORRUPT, setApart } from "./set_apart.ts";

/** What telling the sender came to. */
interface Told extends Heard {
  /** Something is left for another attempt: recipients, or a report that could not be made. */
  left: boolean;
  warned: boolean;
  traced: boolean;
}

function nothing(): Told {
  return { reported: [], sources: [], left: false, warned: false, traced: false };
}

export class Completer {
  constructor(
    readonly store: Pick<QueueReader, "recipients">,
    readonly committer: Pick<Committer, "change">,
    readonly reports: Reports,
    readonly clock: Clock,
    public settings: RetrySettings,
  ) {}

  /** Makes the last outcomes and what follows from them durable, with as few commits as can be. */
  async complete(message: ActiveMessage, outcomes: readonly Outcome[]): Promise<void> {
    const { queueId } = message;
    if (message.deferred) this.clock.observe();
    const tell = this.#mustTell(message);
    if (tell && !message.disposition) {
      const failure = await this.committer.change({ queueId, outcomes });
      if (!failure) return await this.#finish(message, await this.#tell(message));
      message.disposition ??= "corrupt";
    }
    // What an operator has judged keeps its reports for later.
    const left = message.deferred || tell;
    await this.#finish(message, { ...nothing(), left }, outcomes);
  }

  #mustTell(message: ActiveMessage): boolean {
    const { failed, deferred, delivered, wantsSuccess } = message;
    return failed || message.wantsTrace || (delivered && wantsSuccess) ||
      (deferred && (this.#isExpired(message) || this.#isWarningDue(message)));
  }

  #isExpired({ envelope }: ActiveMessage): boolean {
    const end = expiry(envelope.arrived, envelope.sender, this.settings);
    return this.clock.now() >= end && !this.clock.inDoubt;
  }

  #isWarningDue({ envelope, warned }: ActiveMessage): boolean {
    if (warned || this.clock.inDoubt) return false;
    return isDelayed(envelope.arrived, this.clock.now(), this.settings);
  }

  async #tell(message: ActiveMessage): Promise<Told> {
    const told: Told = { ...nothing(), left: message.deferred };
    try {
      const { queueId, envelope } = message;
      if (isVerified(envelope)) {
        told.left = !(await this.#report("trace", message, [], told));
        return told;
      }
      if (message.deferred && this.#isExpired(message)) {
        expired(queueId, envelope.sender);
        const all: RecipientState[] = ["todo", "deferred", "bounced"];
        told.left = !(await this.#report("failure", message, all, told));
      } else if (message.failed) {
        const done = await this.#report("failure", message, ["bounced"], told);
        told.left ||= !done;
      }
      if (message.delivered && message.wantsSuccess) {
        const done = await this.#report("success", message, ["sent"], told);
        told.left ||= !done;
      }
      if (message.wantsTrace) {
        told.traced = await this.#report("trace", message, [], told);
        told.left ||= !told.traced;
      }
      if (told.left && message.deferred && this.#isWarningDue(message)) {
        const open: RecipientState[] = ["todo", "deferred"];
        told.warned = await this.#report("delay", message, open, told);
      }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      warning(`${message.queueId}: ${reason(error)}`);
      told.left = true;
      if (error instanceof DamagedRecord) message.disposition ??= "corrupt";
    }
    return told;
  }

  /** Reports on the recipients in these states, and notes in `told` what was done; true when all of it is. */
  async #report(
    kind: ReportKind,
    message: ActiveMessage,
    states: readonly RecipientState[],
    told: Told,
  ): Promise<boolean> {
    const { queueId, envelope } = message;
    const recipients: StoredRecipient[] = await this.store.recipients(
      queueId,
      states,
      0,
      MAX_RECIPIENTS,
    );
    const ends = (kind === "delay" || kind === "trace") && !this.#isExpired(message);
    const until = ends ? expiry(envelope.arrived, envelope.sender, this.settings) : 0;
    // The store could not say who was left: they come first.
    if (kind === "trace" && until && recipients.some(({ outcome }) => !outcome)) return false;
    // After a report of a failure or a delivery they are finished with, part by part.
    if (kind === "failure" || kind === "success") {
      return await this.reports.send(kind, message, recipients, until, told);
    }
    // After the others they are delivered on: each part is made again until all are, and known by its source.
    const heard: Heard = nothing();
    const done = await this.reports.send(kind, message, recipients, until, heard);
    if (done) told.sources.push(...heard.sources);
    return done;
  }

  /** The last commit of this stay: removed, or moved to where the message waits. */
  async #finish(
    message: ActiveMessage,
    { reported, sources: settled, left, warned, traced }: Told,
    outcomes: readonly Outcome[] = [],
  ): Promise<void> {
    const { queueId } = message;
    message.decided = true;
    const { remove, move } = this.#last(message, left);
    const failure = await this.committer.change(
      remove
        ? { queueId, remove, settled }
        : { queueId, outcomes, reported, move: { ...move!, warned, traced }, settled },
    );
    if (failure) await setApart(this.committer, queueId, { outcomes, reported });
    else if (remove) removed(queueId);
  }

  #last({ disposition, envelope }: ActiveMessage, left: boolean): Pick<Change, "move" | "remove"> {
    if (disposition === "corrupt") return { move: CORRUPT };
    if (disposition === "delete" || !left) return { remove: true };
    if (disposition === "hold") return { move: { queue: "hold", nextTry: 0 } };
    if (disposition === "requeue") return { move: { queue: "incoming", nextTry: 0 } };
    const next = nextTry(envelope.arrived, this.clock.now(), this.settings);
    return { move: { queue: "deferred", nextTry: next } };
  }
}
