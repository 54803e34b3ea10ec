/** Who is told of a delivery, and how: a report to the sender, a copy to the postmaster, never an answer to a report. */

import { counter } from "../../shared/counters.ts";
import { reason, StorageError } from "../../shared/errors.ts";
import type { Client } from "../../shared/ipc/client.ts";
import type { Content } from "../../shared/ipc/content.ts";
import type { ReplyOf, RequestOf } from "../../shared/ipc/declare.ts";
import { notification, notified } from "../../shared/log/lines.ts";
import { warning } from "../../shared/log/log.ts";
import { isNotifier } from "../../shared/mail/address.ts";
import { NO_CLIENT } from "../../shared/mail/envelope.ts";
import type { bounceParameters } from "../../shared/parameters/bounce.ts";
import type { Values } from "../../shared/parameters/declare.ts";
import { copySource, type Report } from "../../shared/protocols/bounce.ts";
import type { cleanupService } from "../../shared/protocols/cleanup.ts";
import { stopAt } from "../../shared/stop_points.ts";
import { reportMessage } from "./report_message.ts";
import type { Reader } from "./notice.ts";
import { headersOf, type Original, readOriginal } from "./original.ts";

type Params = Values<typeof bounceParameters>;
export type CleanupClient = Client<typeof cleanupService.calls>;

type Reply = ReplyOf<typeof cleanupService.calls, "submit">;

const reports = counter("bounce_reports", "delivery reports sent");

/** One message that tells of the delivery. */
interface Notification {
  readonly reader: Reader;
  /** Internal form. */
  readonly to: string;
  /** Null for a report to a sender; for a postmaster an address whose mail is never answered. */
  readonly from: string;
}

export class Notifier {
  #classes: Set<string>;

  constructor(
    readonly params: Params,
    readonly cleanup: CleanupClient,
    readonly nextQueueId: () => string,
    readonly now: () => number = Date.now,
  ) {
    this.#classes = new Set(params.notifyClasses);
  }

  /**
   * Tells whoever is to be told; the queue id of the report, empty when nobody is. Throws StorageError when cleanup does not
   * take the report: then it has to be asked for again.
   */
  async report(report: Report, content: Content): Promise<{ queueId: string }> {
    const { kind, envelope, size } = report;
    const [first, copy] = this.#notifications(report);
    if (!first) return { queueId: "" };
    const limit = this.params.bounceSizeLimit;
    const whole = kind === "failure" && envelope.ret !== "HDRS" && size <= limit;
    const original = await readOriginal(content, limit, whole);
    const queueId = await this.#send(first, report, original, report.source);
    if (!copy) return { queueId };
    const source = report.source && copySource(report.source);
    // The sender has been told: a copy that is lost must not tell it twice.
    await this.#send(copy, report, original, source).catch((error) => warning(reason(error)));
    return { queueId };
  }

  /** The report that must arrive, and its copy. */
  #notifications({ kind, envelope }: Report): [Notification?, Notification?] {
    const { params } = this;
    const postmaster = (to: string): Notification => (
      { reader: "postmaster", to, from: params.doubleBounceSender }
    );
    if (isNotifier(envelope.sender, params)) {
      warning(`${envelope.queueId}: undeliverable postmaster notification discarded`);
      return [];
    }
    if (!envelope.sender) {
      const told = kind === "failure" && this.#classes.has("2bounce");
      return told ? [postmaster(params.doubleBounceNoticeRecipient)] : [];
    }
    const sender: Notification = { reader: "sender", to: envelope.sender, from: "" };
    if (kind === "failure" && this.#classes.has("bounce")) {
      return [sender, postmaster(params.bounceNoticeRecipient)];
    }
    if (kind === "delay" && this.#classes.has("delay")) {
      return [sender, postmaster(params.delayNoticeRecipient)];
    }
    return [sender];
  }

  async #send(
    { reader, to, from }: Notification,
    report: Report,
    original: Original,
    source?: string,
  ): Promise<string> {
    const about = report.envelope.queueId, name = notification(reader, report.kind);
    const queueId = this.nextQueueId(), now = this.now();
    // The postmaster learns that there was a message, not what it said.
    const quoted = reader === "postmaster" && report.envelope.sender && original.whole
      ? { bytes: headersOf(original.bytes), whole: false }
      : original;
    const parts = { report, original: quoted, reporter: this.params, queueId, now, to, reader };
    const { bytes, eightBit } = reportMessage(parts);
    const submission = submissionOf({ queueId, from, to, now, eightBit }, report);
    const request = source ? { ...submission, source: { id: source, settled: [] } } : submission;
    const reply: Reply = await this.cleanup.call("submit", request, bytes).then(
      (answered) => answered.reply,
      (error) => ({ queued: false, code: 451, dsn: "4.3.0", text: reason(error) }),
    );
    if (!reply.queued) {
      const { code, dsn, text } = reply;
      throw new StorageError(`${about}: ${name} failed: ${code} ${dsn} ${text}`);
    }
    stopAt?.("notice.queued");
    reports.add();
    notified(about, name, reply.already ?? queueId);
    return reply.already ?? queueId;
  }
}

/** The envelope of a report. */
function submissionOf(
  about: { queueId: string; from: string; to: string; now: number; eightBit: boolean },
  { envelope }: Report,
): RequestOf<typeof cleanupService.calls, "submit"> {
  const { queueId, from, to, now, eightBit } = about;
  return {
    envelope: {
      queueId,
      sender: from,
      arrived: now,
      client: NO_CLIENT,
      smtputf8: envelope.smtputf8,
      body: eightBit ? "8bit" : "7bit",
      ret: "",
      envid: "",
    },
    recipients: [{ address: to, original: to, orcpt: "", notify: [] }],
    local: true,
    fullName: "",
  };
}
