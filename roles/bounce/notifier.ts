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
import { madeSources, type Report } from "../../shared/protocols/bounce.ts";
import type { cleanupService } from "../../shared/protocols/cleanup.ts";
import { stopAt } from "../../shared/stop_points.ts";
import { fit } from "./fit.ts";
import type { Reader } from "./notice.ts";
import { onlyHeaders, type Original, readOriginal } from "./original.ts";
import { type Parts, type ReportMessage, reportMessage } from "./report_message.ts";

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
   * Tells whoever is to be told; the queue id of the report, empty when nobody is, and of how many recipients. Throws
   * StorageError when cleanup does not take the report: then it has to be asked for again.
   */
  async report(report: Report, content: Content): Promise<{ queueId: string; told: number }> {
    const { kind, envelope, size, source } = report;
    const asked = report.recipients.length;
    const [first, copy] = this.#notifications(report);
    if (!first) return { queueId: "", told: asked };
    const { bounceSizeLimit, messageSizeLimit } = this.params;
    const whole = kind === "failure" && envelope.ret !== "HDRS" && size <= bounceSizeLimit;
    const original = await readOriginal(content, bounceSizeLimit, whole);
    const message = fit(this.#parts(first, report, original), messageSizeLimit);
    const told = message.parts.report.recipients.length;
    const sources = source ? madeSources(source, told, asked) : undefined;
    const queueId = await this.#send(first.from, message, sources?.report);
    if (copy) {
      // The postmaster learns that there was a message, not what it said.
      const parts = this.#parts(copy, message.parts.report, onlyHeaders(message.parts.original));
      // The sender has been told: a copy that is lost must not tell it twice.
      const copying = this.#send(copy.from, reportMessage(parts), sources?.copy);
      await copying.catch((error) => warning(reason(error)));
    }
    return { queueId, told };
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
      // Whoever wants copies of what is returned wants to hear of what cannot be returned, too.
      const isWanted = this.#classes.has("2bounce") || this.#classes.has("bounce");
      return kind === "failure" && isWanted ? [postmaster(params.doubleBounceNoticeRecipient)] : [];
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

  #parts({ reader, to }: Notification, report: Report, original: Original): Parts {
    const queueId = this.nextQueueId(), now = this.now();
    return { report, original, reporter: this.params, queueId, now, to, reader };
  }

  /** Submits a message; the queue id under which it is in the queue. */
  async #send(from: string, message: ReportMessage, source?: string): Promise<string> {
    const { bytes, parts: { report, queueId, reader } } = message;
    const about = report.envelope.queueId, name = notification(reader, report.kind);
    const submission = submissionOf(from, message);
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
  from: string,
  { parts: { queueId, to, now, report: { envelope } }, eightBit }: ReportMessage,
): RequestOf<typeof cleanupService.calls, "submit"> {
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
