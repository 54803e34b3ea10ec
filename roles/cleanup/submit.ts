/** One message on its way into the queue. */

import { Budget, Share } from "../../shared/budget.ts";
import { reason } from "../../shared/errors.ts";
import { counter } from "../../shared/counters.ts";
import type { Client } from "../../shared/ipc/client.ts";
import type { Content } from "../../shared/ipc/content.ts";
import type { ReplyOf, RequestOf } from "../../shared/ipc/declare.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { messageId } from "../../shared/log/lines.ts";
import { localPartOf } from "../../shared/mail/address.ts";
import { warning } from "../../shared/log/log.ts";
import type { cleanupParameters } from "../../shared/parameters/cleanup.ts";
import type { Values } from "../../shared/parameters/declare.ts";
import type { cleanupService } from "../../shared/protocols/cleanup.ts";
import type { intakeService } from "../../shared/protocols/queue.ts";
import { upperCase } from "../../shared/smtp/keyword.ts";
import { Refusal } from "../../shared/smtp/refusal.ts";
import { stopAt } from "../../shared/stop_points.ts";
import { hasUtf8, type Head, output, readHead } from "./header_section.ts";
import { HeaderRules, type Treated } from "./header_rules.ts";
import type { Origin } from "./missing_headers.ts";
import { type Addresses, fold } from "./aliases.ts";
import { RecipientRules } from "./recipients.ts";
import {
  CROWDED,
  HEADER_TOO_BIG,
  NO_RECIPIENTS,
  NO_SPACE,
  PROTOCOL_ERROR,
  TOO_MANY_HOPS,
  WRITE_ERROR,
} from "./refusal.ts";

type Calls = typeof cleanupService.calls;
export type Submission = RequestOf<Calls, "submit">;
export type Reply = ReplyOf<Calls, "submit">;
export type Intake = Client<typeof intakeService.calls>;
type Params = Values<typeof cleanupParameters>;

const queued = counter("cleanup_queued", "messages handed to the queue");
const refused = counter("cleanup_refused", "messages refused, for whatever reason");

/** What messages whose header section is still arriving, or with many recipients, may hold together. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;
/** So much each of them always may. */
const FREE_BYTES = 64 * 1024;

const QUEUED: Reply = { queued: true, code: 250, dsn: "2.0.0", text: "Ok" };
const MAILER_DAEMON = "MAILER-DAEMON";

export class Cleanup {
  #headers: HeaderRules;
  #recipients: RecipientRules;

  constructor(
    readonly params: Params,
    readonly addresses: Addresses,
    readonly intake: Intake,
    readonly budget = new Budget("headers and recipients", MAX_HELD_BYTES, FREE_BYTES),
  ) {
    this.#headers = new HeaderRules(params);
    this.#recipients = new RecipientRules(params, addresses);
  }

  /** Takes a message in; the reply comes when it is durable or refused. */
  async submit(submission: Submission, content: Content): Promise<Reply> {
    const share = new Share(this.budget);
    let taken;
    try {
      taken = await this.#take(submission, content, share);
    } finally {
      share.release();
    }
    if (!(taken instanceof Refusal)) {
      queued.add();
      return taken;
    }
    refused.add();
    const { code, dsn, text } = taken;
    const reply = { queued: false, code, dsn, text };
    return taken === CROWDED ? { ...reply, crowded: true } : reply;
  }

  async #take(submission: Submission, content: Content, share: Share): Promise<Refusal | Reply> {
    const { envelope, local, source, body: bodyKey } = submission;
    if (!submission.recipients.length) return NO_RECIPIENTS;
    const { localNames, remoteNames } = this.#headers;
    let head = await readHead(content, local ? localNames : remoteNames, share);
    if (!head) return CROWDED;
    stopAt?.("cleanup.received");
    const refusal = this.#checkHead(envelope.queueId, head);
    if (refusal) return refusal;
    try {
      const sender = await this.#sender(envelope.sender);
      const { recipients: named } = submission;
      const becomes = await this.#recipients.treat(envelope.queueId, named, share);
      if (becomes instanceof Refusal) return becomes;
      const { recipients, expanded } = becomes;
      const treated = await this.#treatHeader(submission, sender, head);
      const body = treated.eightBit ? "8bit" : envelope.body;
      const becoming = { ...envelope, sender, body };
      // Who delivers it has to know before the header comes by.
      if (envelope.smtputf8) becoming.utf8Header = hasUtf8(head, treated.header);
      const request = {
        ...{ envelope: becoming, recipients },
        ...(expanded.length && { expanded }),
        ...(source && { source }),
        ...(bodyKey !== undefined && { body: bodyKey }),
      };
      const written = output(head, treated.header);
      // The body may take its time, and the head is on its way.
      head = undefined;
      const { reply } = await this.intake.call("enqueue", request, written);
      stopAt?.("cleanup.queued");
      return reply.already ? { ...QUEUED, already: reply.already } : QUEUED;
    } catch (error) {
      // When the submitter is gone nobody hears the answer; everything else that failed is ours, and temporary.
      if (!(error instanceof CallError)) throw error;
      warning(`${envelope.queueId}: queue file write error: ${reason(error)}`);
      return error.code === "full" ? NO_SPACE : WRITE_ERROR;
    }
  }

  /**
   * A message without Received is not from one of our roles; one with too many is in a loop (RFC 5321 6.3). Of a header that was
   * not looked at to its end nobody could take Bcc out, or say what it lacks.
   */
  #checkHead(queueId: string, head: Head): Refusal | undefined {
    const hops = this.#headers.hops(head);
    if (hops === 0) {
      warning(`${queueId}: message rejected: no Received: header`);
      return PROTOCOL_ERROR;
    }
    if (hops >= this.params.hopcountLimit) {
      warning(`${queueId}: message rejected: hopcount exceeded`);
      return TOO_MANY_HOPS;
    }
    if (head.scanner.ending !== "limit") return undefined;
    warning(`${queueId}: message rejected: header too big`);
    return HEADER_TOO_BIG;
  }

  /** The sender in standard form; mail from our own MAILER-DAEMON has the null sender, so that nobody answers it. */
  #sender(sender: string): string | Promise<string> {
    if (!sender) return sender;
    const rewritten = this.addresses.rewrite("local", sender);
    return typeof rewritten === "string"
      ? this.#withoutDaemon(rewritten)
      : rewritten.then((rewritten) => this.#withoutDaemon(rewritten));
  }

  /** One of another system is somebody to report to. */
  #withoutDaemon(sender: string): string | Promise<string> {
    if (upperCase(localPartOf(sender)) !== MAILER_DAEMON) return sender;
    const isOwn = (own: string) => fold(own) === fold(sender) ? "" : sender;
    const own = this.addresses.rewrite("local", MAILER_DAEMON);
    return typeof own === "string" ? isOwn(own) : own.then(isOwn);
  }

  async #treatHeader(submission: Submission, sender: string, head: Head): Promise<Treated> {
    const { envelope, local } = submission;
    const { addresses, params } = this;
    const context = local ? "local" : params.remoteHeaderRewriteDomain ? "remote" : undefined;
    const rewrite = context && ((address: string) => addresses.rewrite(context, address));
    let origin: Origin | undefined;
    if (local || params.alwaysAddMissingHeaders) {
      const author = sender || await addresses.rewrite("local", MAILER_DAEMON);
      const { myhostname, headerFromFormat: format } = params;
      // The user's name is not the name of the mail system.
      const fullName = sender && submission.fullName;
      origin = { envelope, author, fullName, myhostname, format };
    }
    const treated = await this.#headers.treat(head, rewrite, origin);
    if (treated.resentMessageId) messageId(envelope.queueId, treated.resentMessageId, true);
    messageId(envelope.queueId, treated.messageId);
    return treated;
  }
}
