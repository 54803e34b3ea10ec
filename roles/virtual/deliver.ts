/**
 * One delivery request: each recipient's mailbox is found, one file for each mailbox is written, all together, and each
 * recipient has its own outcome. Else one message to a thousand names of one mailbox would fill the disk.
 */

import { reason } from "../../shared/errors.ts";
import { counter } from "../../shared/counters.ts";
import type { Content } from "../../shared/ipc/content.ts";
import { delivered, type Delivery } from "../../shared/log/lines.ts";
import type { Outcome } from "../../shared/mail/envelope.ts";
import { isReported, isVerified } from "../../shared/mail/verify.ts";
import type { DeliveryReply, DeliveryRequest } from "../../shared/protocols/delivery.ts";
import { Directories } from "./directories.ts";
import { findMailbox, type Lookups, type Mailbox, type Params } from "./find_mailbox.ts";
import { fileHostname, MaildirFile, type Surroundings } from "./maildir.ts";
import { SyncRounds } from "./sync_rounds.ts";
import { deliveryHeaders, toLf } from "./text.ts";
import { consequence } from "./trouble.ts";

type Recipient = DeliveryRequest["recipients"][number];
/** What became of a recipient, without its number. */
type Result = Pick<Outcome, "status" | "dsn" | "text">;

const deliveries = counter("virtual_delivered", "messages delivered to a mailbox");

/** As the log and a trace name us. */
const RELAY = "virtual";
/** Files that one request has open at once. */
const MAX_OPEN_FILES = 100;
const SENT: Result = { status: "sent", dsn: "2.0.0", text: "delivered to maildir" };
const DELIVERABLE: Result = { status: "deliverable", dsn: "2.0.0", text: "delivers to maildir" };
const TOO_MANY: Result = {
  status: "deferred",
  dsn: "4.3.0",
  text: `more than ${MAX_OPEN_FILES} recipients of one large message`,
};

export class VirtualDelivery {
  #around: Surroundings;

  constructor(readonly params: Params, readonly lookups: Lookups) {
    const syncs = new SyncRounds();
    this.#around = {
      directories: new Directories(params.virtualMailboxBase, syncs),
      syncs,
      hostname: fileHostname(params.myhostname),
      limit: params.virtualMailboxLimit,
      takesLess: params.virtualMailboxLimit < params.messageSizeLimit,
    };
  }

  /** Delivers; throws only when qmgr goes away in the middle of the content: then nothing was delivered. */
  async deliver(request: DeliveryRequest, content: Content): Promise<DeliveryReply> {
    const started = Date.now(), began = performance.now();
    const { envelope, recipients, activeAt } = request;
    const results = isVerified(envelope)
      ? await this.#verify(recipients)
      : await this.#write(request, content);
    const took = performance.now() - began;
    const delays: Delivery["delays"] = [activeAt - envelope.arrived, started - activeAt, 0, took];
    results.forEach((result, i) => log(envelope.queueId, recipients[i]!, result, delays));
    const outcomes = results.map((result, i) => {
      const recipient = recipients[i]!;
      const outcome = { n: recipient.n, ...result, remoteMta: "", diagnostic: "" };
      return isReported(envelope, recipient) ? { ...outcome, relay: RELAY } : outcome;
    });
    return { outcomes, siteProblem: null };
  }

  /** Whether each recipient has a mailbox; nothing is looked at but the tables. */
  async #verify(recipients: readonly Recipient[]): Promise<Result[]> {
    const results: Result[] = [];
    for (const { address } of recipients) {
      const found = await findMailbox(this.params, this.lookups, address);
      results.push("status" in found ? { ...found, status: "undeliverable" } : DELIVERABLE);
    }
    return results;
  }

  /** Writes the message to each recipient's mailbox. */
  async #write(request: DeliveryRequest, content: Content): Promise<Result[]> {
    const { recipients } = request;
    const results: Result[] = [];
    const files: Files = recipients.length > 1 ? new Map() : undefined;
    for (let at = 0; at < recipients.length; at += MAX_OPEN_FILES) {
      const group = recipients.slice(at, at + MAX_OPEN_FILES);
      // A stream can be read only once.
      const again = at === 0 || content.whole !== undefined;
      results.push(
        ...(again
          ? await this.#together(request, group, files, content)
          : group.map(() => TOO_MANY)),
      );
    }
    return results;
  }

  /** Writes the content to all of these mailboxes at once. */
  async #together(
    request: DeliveryRequest,
    group: readonly Recipient[],
    files: Files,
    content: Content,
  ): Promise<Result[]> {
    const targets = await Promise.all(group.map((each) => this.#open(request, each, files)));
    const each = files ? new Set(targets) : targets;
    try {
      if (content.whole) writeAll(each, content.whole);
      else for await (const chunk of content) writeAll(each, chunk);
    } catch (error) {
      for (const target of each) target.fail(error);
      throw error;
    }
    return await Promise.all(targets.map((target) => target.finish()));
  }

  /** What a recipient's copy goes to; recipients with the same mailbox share it. */
  async #open(request: DeliveryRequest, recipient: Recipient, files: Files): Promise<Target> {
    const found = await findMailbox(this.params, this.lookups, recipient.address);
    if ("status" in found) return new Target(found);
    if (!files) return await this.#create(request, recipient, found);
    const key = `${found.owner?.uid}:${found.owner?.gid}/${found.components.join("/")}`;
    const shared = files.get(key);
    if (shared) return await shared;
    const made = this.#create(request, recipient, found);
    files.set(key, made);
    return await made;
  }

  async #create(
    { envelope }: DeliveryRequest,
    recipient: Recipient,
    { components, owner }: Mailbox,
  ): Promise<Target> {
    const header = deliveryHeaders(envelope.sender, recipient);
    try {
      return new Target(await MaildirFile.create(this.#around, components, owner, header));
    } catch (error) {
      return new Target(failed(error));
    }
  }
}

/** The files of one request, by owner and mailbox; undefined where there is one recipient only. */
type Files = Map<string, Promise<Target>> | undefined;

/** One mailbox's file, or why there is none. */
class Target {
  #file: MaildirFile | undefined;
  #result: Result = SENT;
  #finished: Promise<Result> | undefined;

  constructor(state: MaildirFile | Result) {
    if (state instanceof MaildirFile) this.#file = state;
    else this.#result = state;
  }

  write(text: Uint8Array): void {
    try {
      this.#file?.write(text);
    } catch (error) {
      this.fail(error);
    }
  }

  /** The same result for each who asks; what is written after that goes nowhere. */
  finish(): Promise<Result> {
    return this.#finished ??= this.#finish();
  }

  async #finish(): Promise<Result> {
    try {
      await this.#file?.finish();
      this.#file = undefined;
    } catch (error) {
      this.fail(error);
    }
    if (this.#result === SENT) deliveries.add();
    return this.#result;
  }

  /** One mailbox's trouble does not touch the others'. */
  fail(error: unknown): void {
    const file = this.#file;
    if (!file) return;
    this.#file = undefined;
    this.#result = failed(error);
    file.abort();
  }
}

function writeAll(targets: Iterable<Target>, chunk: Uint8Array): void {
  const text = toLf(chunk);
  for (const target of targets) target.write(text);
}

function failed(error: unknown): Result {
  return {
    ...consequence(error),
    text: `maildir delivery failed: ${reason(error)}`.slice(0, 1000),
  };
}

function log(
  queueId: string,
  { address, original }: Recipient,
  { status, dsn, text }: Result,
  delays: Delivery["delays"],
): void {
  delivered({
    queueId,
    recipient: address,
    original,
    relay: RELAY,
    delays,
    dsn,
    status,
    text,
  });
}
