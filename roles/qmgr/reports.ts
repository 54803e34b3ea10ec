/** What the sender is told, and of whom (reference 6.3): which recipients a report is due for, and the call to bounce. */

import { PeerError, reason, StorageError } from "../../shared/errors.ts";
import type { Client } from "../../shared/ipc/client.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { warning } from "../../shared/log/log.ts";
import { isNotifier, type Notifier } from "../../shared/mail/address.ts";
import type { Envelope, Outcome, Recipient } from "../../shared/mail/envelope.ts";
import { believedTold } from "../../shared/mail/told.ts";
import { worded } from "../../shared/mail/verify.ts";
import {
  type bounceService,
  madeSources,
  RECIPIENTS_PER_REPORT,
  type Report,
} from "../../shared/protocols/bounce.ts";
import type { QueueReader, StoredRecipient } from "../../shared/queue/store.ts";
import { stopAt } from "../../shared/stop_points.ts";
import type { ActiveMessage } from "./active_message.ts";
import { deferral } from "./agents.ts";
import type { Seals } from "./seals.ts";

export type BounceClient = Client<typeof bounceService.calls>;
export type ReportKind = Report["kind"];

/** What the kinds of report need of a recipient's NOTIFY when it has one (RFC 3461 4.1). */
const WANTED = { failure: "FAILURE", delay: "DELAY", success: "SUCCESS" } as const;

/** True when the sender wants to hear this of the recipient. */
export function isDue(kind: ReportKind, { notify }: Recipient, outcome?: Outcome | null): boolean {
  // Whoever asks for a trace asks about everybody.
  if (kind === "trace") return true;
  if (kind !== "success") return notify.length === 0 || notify.includes(WANTED[kind]);
  return notify.includes("SUCCESS") && outcome?.success !== "passed";
}

/** What has been told, as it comes: it counts even where something stops the rest. */
export interface Heard {
  /** Recipients that the sender has been told of, or need not be. */
  readonly reported: number[];
  /** Sources of the reports that were made, and of their copies. */
  readonly sources: string[];
}

/** A message as its reports need it. */
type Reported = Pick<ActiveMessage, "envelope" | "size">;

export class Reports {
  constructor(
    readonly bounce: BounceClient,
    readonly store: Pick<QueueReader, "content">,
    readonly seals: Pick<Seals, "source">,
    public notifier: Notifier,
  ) {}

  /**
   * Tells the sender of those recipients for whom a report is due, in parts where they are very many, and notes in `heard` what
   * is done, part by part. True when all of it is; false when the rest has to be tried again. Throws StorageError when the
   * message cannot be read, DamagedRecord when it never can be.
   */
  async send(
    kind: ReportKind,
    message: Reported,
    recipients: readonly StoredRecipient[],
    retryUntil: number,
    heard: Heard,
  ): Promise<boolean> {
    const hears = this.#hears(kind, message.envelope);
    const due: StoredRecipient[] = [];
    for (const each of recipients) {
      if (hears && isDue(kind, each, each.outcome)) due.push(each);
      else heard.reported.push(each.n);
    }
    for (let at = 0; at < due.length;) {
      const some = due.slice(at, at + RECIPIENTS_PER_REPORT);
      const told = await this.#sendOne(kind, message, some, retryUntil, heard);
      if (told === 0) return false;
      at += told;
    }
    return true;
  }

  /** Whether there is anybody to tell. */
  #hears(kind: ReportKind, { queueId, sender }: Envelope): boolean {
    // bounce knows whether a postmaster wants to hear of lost notifications; of delays and successes nobody does.
    if (!sender) return kind === "failure";
    // Nobody is told of what became of a notification: reports never loop.
    if (!isNotifier(sender, this.notifier)) return true;
    if (kind === "failure") warning(`${queueId}: undeliverable postmaster notification discarded`);
    return false;
  }

  /** One report, on the first of these recipients; on how many, or 0 when it has to be tried again. */
  async #sendOne(
    kind: ReportKind,
    { envelope, size }: Reported,
    due: readonly StoredRecipient[],
    retryUntil: number,
    heard: Heard,
  ): Promise<number> {
    // Asked for again after a crash it is the same report, and queued once. If more recipients have failed by then, it is another,
    // and who is in both is told of twice; by a name that does not say who is in it, some would never be told of.
    const numbers = due.map(({ n }) => n).join(",");
    const source = this.seals.source(
      `${envelope.queueId} ${envelope.arrived} ${kind} ${numbers}`,
    );
    const recipients = due.map((each) => reported(envelope, each));
    const content = await this.store.content(envelope.queueId);
    const done = (told: number) => {
      const made = madeSources(source, told, due.length);
      heard.sources.push(made.report, made.copy);
      for (const { n } of due.slice(0, told)) heard.reported.push(n);
      return told;
    };
    stopAt?.("bounce.before_notice");
    try {
      const { reply } = await this.bounce.call(
        "report",
        { kind, envelope, size, recipients, retryUntil, source },
        content,
      );
      stopAt?.("bounce.after_notice");
      return done(believedTold(reply.told, due.length));
    } catch (error) {
      if (!(error instanceof PeerError || error instanceof StorageError)) throw error;
      warning(`${envelope.queueId}: bounce or trace service failure: ${reason(error)}`);
      // Asked again it would refuse again. A failure is kept all the same: somebody has to hear of it.
      const isRefused = error instanceof CallError && error.code === "refused";
      if (kind === "trace" && !retryUntil && isRefused) {
        warning(`${envelope.queueId}: too old to be tried again: trace report given up`);
        return done(due.length);
      }
      return 0;
    }
  }
}

function reported(
  envelope: Envelope,
  recipient: StoredRecipient,
): Report["recipients"][number] {
  const { n, address, original, orcpt, notify } = recipient;
  const outcome = recipient.outcome ??
    worded(envelope, deferral(n, "4.4.7", "delivery time expired"));
  return { address, original, orcpt, notify, outcome };
}
