/** From a checked submission to cleanup: envelope, Received header, and the report when cleanup will not have it. */

import { PeerError, reason, StorageError } from "../../shared/errors.ts";
import type { Client } from "../../shared/ipc/client.ts";
import type { ReplyOf, RequestOf } from "../../shared/ipc/declare.ts";
import type { Sendable } from "../../shared/ipc/content.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { info, warning } from "../../shared/log/log.ts";
import { bracketed, pickedUp } from "../../shared/log/lines.ts";
import { mailDate } from "../../shared/mail/date.ts";
import { derivedSource } from "../../shared/mail/derived_source.ts";
import {
  type Envelope,
  NO_CLIENT,
  type Outcome,
  type Recipient,
} from "../../shared/mail/envelope.ts";
import { queueIdOf } from "../../shared/mail/queue_id.ts";
import { believedTold } from "../../shared/mail/told.ts";
import { isVerified, worded } from "../../shared/mail/verify.ts";
import type { Submission } from "../../shared/maildrop/file_format.ts";
import {
  type bounceService,
  madeSources,
  RECIPIENTS_PER_REPORT,
} from "../../shared/protocols/bounce.ts";
import type { cleanupService } from "../../shared/protocols/cleanup.ts";
import { stopAt } from "../../shared/stop_points.ts";
import { type Refusal, refusalOf } from "../../shared/smtp/refusal.ts";
import { TOO_BIG } from "../../shared/smtp/standard_replies.ts";
import type { Fate, Found } from "./maildrop.ts";
import { Settled } from "./settled.ts";

export interface SubmitterOptions {
  readonly hostname: string;
  readonly mailName: string;
  /** Bytes; Infinity is no limit. */
  readonly messageSizeLimit: number;
  readonly cleanup: Client<typeof cleanupService.calls>;
  readonly bounce: Client<typeof bounceService.calls>;
  /** The time of day; for waits, a time that nobody can set. Milliseconds. */
  readonly now?: () => number;
  readonly steady?: () => number;
}

type Request = RequestOf<typeof cleanupService.calls, "submit">;
type Reply = ReplyOf<typeof cleanupService.calls, "submit">;

/** Messages up to this are sent in one frame, from memory. */
const INLINE_BYTES = 120 * 1024;
/** How far back a submission's own time is believed; a user can set it at will. */
const MAX_AGE_MS = 24 * 3600 * 1000;

const encoder = new TextEncoder();
const CRLF = Uint8Array.of(13, 10);
const SPACE = 32, TAB = 9;

const TOO_LARGE = refusalOf(TOO_BIG);

export class Submitter {
  #settled: Settled;
  /** The sources of the reports on submissions that were refused. */
  #reports = new WeakMap<Submission, string[]>();

  constructor(readonly options: SubmitterOptions) {
    this.#settled = new Settled(options.steady ?? (() => performance.now()));
  }

  /** The file of a submission that is done has gone: it will not be submitted again. */
  settle({ submission }: Found): void {
    const sources = this.#reports.get(submission) ?? [sourceId(submission)];
    for (const source of sources) this.#settled.add(source);
  }

  /** Hands a submission to cleanup; throws NotASubmission when the file changes meanwhile. */
  async submit(found: Found): Promise<Fate> {
    const { submission, uid, modified } = found;
    const now = this.options.now?.() ?? Date.now();
    const arrived = Math.floor(Math.min(Math.max(modified, now - MAX_AGE_MS), now));
    const envelope = toEnvelope(submission, arrived);
    const recipients = submission.envelope.recipients.map((address) =>
      toRecipient(address, submission)
    );
    pickedUp(envelope.queueId, uid, envelope.sender);
    try {
      const refusal = this.#tooLarge(submission) ??
        await this.#toCleanup(submission, uid, envelope, recipients);
      if (refusal === undefined) return "done";
      if (refusal.code < 500) {
        warning(`${envelope.queueId}: not queued yet: ${describe(refusal)}`);
        return "later";
      }
      await this.#report(found, envelope, recipients, refusal);
      return "done";
    } catch (error) {
      if (!(error instanceof PeerError || error instanceof StorageError)) throw error;
      warning(`${envelope.queueId}: not queued yet: ${reason(error)}`);
      // The service does not take this one, but may take others; else it takes none.
      const isThisOne = error instanceof CallError
        ? error.code === "refused"
        : error instanceof PeerError;
      return isThisOne ? "later" : "unavailable";
    }
  }

  #tooLarge({ size }: Submission): Refusal | undefined {
    return size > this.options.messageSizeLimit ? TOO_LARGE : undefined;
  }

  async #toCleanup(
    submission: Submission,
    uid: number,
    envelope: Envelope,
    recipients: Recipient[],
  ): Promise<Refusal | undefined> {
    const header = this.#received(uid, envelope);
    const { fullName, gateway } = submission.envelope;
    const content = await withHeader(header, submission);
    const request = { envelope, recipients, local: !gateway, fullName };
    stopAt?.("pickup.received");
    const reply = await this.#call(request, sourceId(submission), content);
    stopAt?.("pickup.queued");
    if (reply.already) info(`${envelope.queueId}: was queued already, as ${reply.already}`);
    return reply.queued ? undefined : reply;
  }

  /** The call, with the sources that the queue may forget. */
  async #call(request: Omit<Request, "source">, id: string, content: Sendable): Promise<Reply> {
    const settled = this.#settled.take();
    try {
      const source = { id, settled: settled.map((each) => each.id) };
      const { cleanup } = this.options;
      const { reply } = await cleanup.call("submit", { ...request, source }, content);
      if (!reply.queued) this.#settled.giveBack(settled);
      return reply;
    } catch (error) {
      this.#settled.giveBack(settled);
      throw error;
    }
  }

  #received(uid: number, { queueId, arrived }: Envelope): Uint8Array {
    const { hostname, mailName } = this.options;
    return encoder.encode(
      `Received: by ${hostname} (${mailName}, from userid ${uid})\r\n` +
        `\tid ${queueId}; ${mailDate(arrived)}\r\n`,
    );
  }

  /** Tells the sender, as if the message had been queued and then bounced: it is not lost without a word. */
  async #report(
    { submission, modified }: Found,
    envelope: Envelope,
    recipients: Recipient[],
    refusal: Refusal,
  ): Promise<void> {
    const { queueId, sender } = envelope;
    const verified = isVerified(envelope);
    const told = recipients
      .filter(({ notify }) => verified || !notify.length || notify.includes("FAILURE"))
      .map((recipient, n) => ({ ...recipient, outcome: worded(envelope, bounced(n, refusal)) }));
    if (!sender || !told.length) {
      return info(
        `${queueId}: from=${bracketed(sender)}, status=bounced (${describe(refusal)}), ` +
          "nobody to be told",
      );
    }
    const sources: string[] = [];
    this.#reports.set(submission, sources);
    for (let at = 0; at < told.length;) {
      // We may die before the file has gone: then the report is asked for again, and was made already.
      const source = derivedSource(sourceId(submission), `report ${modified} ${at}`);
      const report = {
        kind: verified ? "trace" as const : "failure" as const,
        envelope,
        size: submission.size,
        recipients: told.slice(at, at + RECIPIENTS_PER_REPORT),
        retryUntil: 0,
        source,
      };
      const { reply } = await this.options.bounce.call("report", report, submission.content());
      const asked = report.recipients.length, some = believedTold(reply.told, asked);
      const made = madeSources(source, some, asked);
      sources.push(made.report, made.copy);
      at += some;
    }
    info(
      `${queueId}: from=${bracketed(sender)}, status=bounced (${describe(refusal)}), ` +
        "returned to sender",
    );
  }
}

function toEnvelope(submission: Submission, arrived: number): Envelope {
  const { sender, ret, envid, smtputf8, trace } = submission.envelope;
  return {
    // The same file has the same id, so that both attempts can be found in the log.
    queueId: queueIdOf(arrived * 1000, number40(submission.checksum)),
    sender,
    arrived,
    client: NO_CLIENT,
    smtputf8,
    body: submission.eightBit ? "8bit" : "7bit",
    ret,
    envid,
    ...(trace ? { trace } : {}),
  };
}

/** What names a submission to the queue: no two have the same bytes. */
function sourceId({ checksum }: Submission): string {
  return checksum.toHex();
}

function number40(bytes: Uint8Array): number {
  return bytes.subarray(0, 5).reduce((number, byte) => number * 256 + byte, 0);
}

function toRecipient(address: string, { envelope }: Submission): Recipient {
  return { address, original: address, orcpt: "", notify: envelope.notify };
}

function bounced(n: number, { dsn, text }: Refusal): Outcome {
  return { n, status: "bounced", dsn, text, remoteMta: "", diagnostic: "" };
}

function describe({ code, dsn, text }: Refusal): string {
  return `${code} ${dsn} ${text}`;
}

/** The message with our header on top: in one piece if it is small, else as a stream. */
async function withHeader(header: Uint8Array, submission: Submission): Promise<Sendable> {
  if (submission.size > INLINE_BYTES) return stream(header, submission);
  const bytes = new Uint8Array(header.length + CRLF.length + submission.size);
  let at = 0;
  for await (const part of stream(header, submission)) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes.subarray(0, at);
}

/** A message that begins with white space has no header: that line must not continue ours. */
async function* stream(header: Uint8Array, submission: Submission): AsyncGenerator<Uint8Array> {
  yield header;
  let first = true;
  for await (const part of submission.content()) {
    if (first && (part[0] === SPACE || part[0] === TAB)) yield CRLF;
    first &&= part.length === 0;
    yield part;
  }
}
