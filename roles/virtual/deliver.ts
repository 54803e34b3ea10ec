/** One delivery request: each recipient's mailbox is found, all files are written together, each has its own outcome. */

import { reason } from "../../shared/errors.ts";
import { counter } from "../../shared/counters.ts";
import type { Content } from "../../shared/ipc/content.ts";
import { delivered } from "../../shared/log/lines.ts";
import type { Outcome } from "../../shared/mail/envelope.ts";
import type { DeliveryReply, DeliveryRequest } from "../../shared/protocols/delivery.ts";
import { Directories } from "./directories.ts";
import { DirectorySync } from "./directory_sync.ts";
import { findMailbox, type Lookups, type NoMailbox, type Params } from "./mailbox.ts";
import { fileHostname, MaildirFile, type Surroundings } from "./maildir.ts";
import { deliveryHeaders, toLf } from "./text.ts";
import { consequence } from "./trouble.ts";

type Recipient = DeliveryRequest["recipients"][number];
/** What became of a recipient, without its number. */
type Verdict = Pick<Outcome, "status" | "dsn" | "text">;

const deliveries = counter("virtual_delivered", "messages delivered to a mailbox");

/** Files that one request has open at once. */
const MAX_OPEN_FILES = 100;
const SENT: Verdict = { status: "sent", dsn: "2.0.0", text: "delivered to maildir" };
const TOO_MANY: Verdict = {
  status: "deferred",
  dsn: "4.3.0",
  text: `more than ${MAX_OPEN_FILES} recipients of one large message`,
};

export class VirtualDelivery {
  #around: Surroundings;

  constructor(readonly params: Params, readonly lookups: Lookups) {
    const syncs = new DirectorySync();
    this.#around = {
      directories: new Directories(params.virtualMailboxBase, syncs),
      syncs,
      hostname: fileHostname(params.myhostname),
      limit: params.virtualMailboxLimit,
    };
  }

  /** Delivers; throws only when qmgr goes away in the middle of the content: then nothing was delivered. */
  async deliver(request: DeliveryRequest, content: Content): Promise<DeliveryReply> {
    const started = Date.now();
    const { recipients } = request;
    const verdicts: Verdict[] = [];
    for (let at = 0; at < recipients.length; at += MAX_OPEN_FILES) {
      const group = recipients.slice(at, at + MAX_OPEN_FILES);
      // A stream can be read only once.
      const again = at === 0 || content.whole !== undefined;
      verdicts.push(
        ...(again ? await this.#together(request, group, content) : group.map(() => TOO_MANY)),
      );
    }
    verdicts.forEach((verdict, i) => log(request, recipients[i]!, verdict, started));
    const outcomes = verdicts.map((verdict, i) => (
      { n: recipients[i]!.n, ...verdict, remoteMta: "", diagnostic: "" }
    ));
    return { outcomes, siteProblem: null };
  }

  /** Writes the content to all of these mailboxes at once. */
  async #together(
    request: DeliveryRequest,
    group: readonly Recipient[],
    content: Content,
  ): Promise<Verdict[]> {
    const targets = await Promise.all(group.map((each) => this.#open(request, each)));
    try {
      if (content.whole) writeAll(targets, content.whole);
      else for await (const chunk of content) writeAll(targets, chunk);
    } catch (error) {
      for (const target of targets) target.fail(error);
      throw error;
    }
    return await Promise.all(targets.map((target) => target.finish()));
  }

  async #open(request: DeliveryRequest, recipient: Recipient): Promise<Target> {
    const found = await findMailbox(this.params, this.lookups, recipient.address);
    if ("status" in found) return new Target(found);
    const header = deliveryHeaders(request.envelope.sender, recipient);
    try {
      return new Target(
        await MaildirFile.create(this.#around, found.components, found.owner, header),
      );
    } catch (error) {
      return new Target(failed(error));
    }
  }
}

/** One recipient's file, or the verdict that there is none. */
class Target {
  #file: MaildirFile | undefined;
  #verdict: Verdict = SENT;

  constructor(state: MaildirFile | NoMailbox | Verdict) {
    if (state instanceof MaildirFile) this.#file = state;
    else this.#verdict = state;
  }

  write(text: Uint8Array): void {
    try {
      this.#file?.write(text);
    } catch (error) {
      this.fail(error);
    }
  }

  async finish(): Promise<Verdict> {
    try {
      await this.#file?.finish();
    } catch (error) {
      this.fail(error);
    }
    if (this.#verdict === SENT) deliveries.add();
    return this.#verdict;
  }

  /** One mailbox's trouble does not touch the others'. */
  fail(error: unknown): void {
    const file = this.#file;
    if (!file) return;
    this.#file = undefined;
    this.#verdict = failed(error);
    file.abort();
  }
}

function writeAll(targets: readonly Target[], chunk: Uint8Array): void {
  const text = toLf(chunk);
  for (const target of targets) target.write(text);
}

function failed(error: unknown): Verdict {
  return {
    ...consequence(error),
    text: `maildir delivery failed: ${reason(error)}`.slice(0, 1000),
  };
}

function log(
  { envelope, activeAt }: DeliveryRequest,
  { address, original }: Recipient,
  { status, dsn, text }: Verdict,
  started: number,
): void {
  delivered({
    queueId: envelope.queueId,
    recipient: address,
    original,
    relay: "virtual",
    delays: [activeAt - envelope.arrived, started - activeAt, 0, Date.now() - started],
    dsn,
    status,
    text,
  });
}
