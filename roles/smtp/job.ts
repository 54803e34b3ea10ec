/** One delivery request under way: who is still open, what was noted, what became of each. */

import { reason } from "../../shared/errors.ts";
import type { Content } from "../../shared/ipc/content.ts";
import { delivered } from "../../shared/log/lines.ts";
import { info } from "../../shared/log/log.ts";
import { MAX_REASON, MAX_RELAY, type Outcome } from "../../shared/mail/envelope.ts";
import { isReported, isVerified, statusFor } from "../../shared/mail/verify.ts";
import type { DeliveryReply, DeliveryRequest } from "../../shared/protocols/delivery.ts";
import type { Reply } from "../../shared/smtp/reply_parser.ts";
import type { Session } from "./session.ts";
import { isSoft, type Trouble } from "./trouble.ts";

type RequestedRecipient = DeliveryRequest["recipients"][number];

/** Asks qmgr for the content of a delivery under way from its beginning. */
export type Again = (request: DeliveryRequest) => Promise<Content>;

/** Content that was sent once already cannot be read a second time. */
export class NoSecondContent extends Error {}

/** A recipient without an outcome yet. */
export interface Open {
  readonly recipient: RequestedRecipient;
  /** The last thing that went wrong for it, and in which attempt. */
  trouble?: Trouble;
  attempt?: number;
}

export class Job {
  open: Open[];
  #contentUsed = false;
  /** It could not be read a second time. */
  #contentLost = false;
  /** The session in use, for log lines. */
  session: Session | undefined;
  #outcomes: Outcome[] = [];
  #attempt = 0;
  #startedAt = Date.now();
  /** Both by a clock that nobody can set. */
  #began = performance.now();
  #connectedAt = 0;
  /** Troubles of the attempt before, logged when another server is tried. */
  #unlogged = new Set<Trouble>();

  constructor(
    readonly request: DeliveryRequest,
    readonly content: Content,
    readonly again: Again,
  ) {
    this.open = request.recipients.map((recipient) => ({ recipient }));
  }

  get queueId(): string {
    return this.request.envelope.queueId;
  }

  /** Nothing is sent: it ends with what the server says of the recipients. */
  get isVerified(): boolean {
    return isVerified(this.request.envelope);
  }

  /** Another server can be given the content. */
  get canSend(): boolean {
    return !this.#contentLost;
  }

  /** The content from its beginning, for one server. What reading it throws is NoSecondContent but for the first. */
  chunks(): AsyncIterable<Uint8Array> {
    const first = !this.#contentUsed;
    this.#contentUsed = true;
    return first ? this.content : this.#secondChunks();
  }

  async *#secondChunks(): AsyncGenerator<Uint8Array> {
    try {
      yield* await this.again(this.request);
    } catch (error) {
      this.#contentLost = true;
      throw new NoSecondContent(reason(error));
    }
  }

  /** Milliseconds since the message arrived. */
  get age(): number {
    return this.#startedAt - this.request.envelope.arrived;
  }

  /** Another server is tried: what went wrong at the one before is no outcome, but people want to see it. */
  nextAttempt(): void {
    this.#attempt++;
    for (const { text, relay } of this.#unlogged) {
      // One that could not be connected to has its line.
      if (relay !== "none") info(`${this.queueId}: ${text}`);
    }
    this.#unlogged.clear();
    this.session = undefined;
  }

  connected(session: Session): void {
    this.session = session;
    this.#connectedAt ||= performance.now();
  }

  /** The server took it; `success` where somebody wants to hear of that. */
  sent(open: Open, reply: Reply, success?: Outcome["success"]): void {
    const { text } = reply;
    const remoteMta = this.session!.server.name;
    this.#decide(open, this.session!.server.relay, {
      n: open.recipient.n,
      status: statusFor(this.request.envelope, "sent"),
      dsn: reply.dsn,
      text: text.slice(0, MAX_REASON),
      remoteMta: remoteMta.slice(0, 255),
      diagnostic: text.slice(0, MAX_REASON),
      ...(success ? { success } : {}),
    });
  }

  /** It did not work for this recipient: 5.x.x is the end, with 4.x.x another server may be tried. */
  failed(open: Open, trouble: Trouble): void {
    open.trouble = trouble;
    open.attempt = this.#attempt;
    if (isSoft(trouble)) this.#unlogged.add(trouble);
    else this.#give(open, trouble);
  }

  /** As `failed`, for everyone who is open and of whom this attempt has not said anything yet. */
  failedRest(trouble: Trouble): void {
    for (const open of this.open.slice()) {
      if (open.attempt !== this.#attempt || !open.trouble) this.failed(open, trouble);
    }
  }

  /** Notes for all that there is no way there; even 5.x.x does not decide yet: a fallback may be left. */
  unreachable(trouble: Trouble): void {
    for (const open of this.open) this.#note(open, trouble);
  }

  /** Notes for some that a server's offer is not enough; another's may be, so nothing that this one says decides. */
  unfit(some: readonly Open[], trouble: Trouble): void {
    for (const open of some) {
      this.#note(open, trouble);
      open.attempt = this.#attempt;
    }
    this.#unlogged.add(trouble);
  }

  /** What may work later is not outweighed by what never will elsewhere. */
  #note(open: Open, trouble: Trouble): void {
    if (isSoft(trouble) || !open.trouble || !isSoft(open.trouble)) open.trouble = trouble;
  }

  /** Whoever is still open is decided by what was noted last. */
  finish(): DeliveryReply {
    let site: Trouble | undefined;
    for (const open of this.open.slice()) {
      const trouble = open.trouble ?? NOTHING_TRIED;
      if (trouble.site && isSoft(trouble)) site ??= trouble;
      this.#give(open, trouble);
    }
    return {
      outcomes: this.#outcomes,
      siteProblem: site ? { dsn: site.dsn, text: site.text.slice(0, MAX_REASON) } : null,
    };
  }

  #give(open: Open, trouble: Trouble): void {
    this.#decide(open, trouble.relay, {
      n: open.recipient.n,
      status: statusFor(
        this.request.envelope,
        isSoft(trouble) ? "deferred" : "bounced",
      ),
      dsn: trouble.dsn,
      text: trouble.text.slice(0, MAX_REASON),
      remoteMta: (trouble.remoteMta ?? "").slice(0, 255),
      diagnostic: (trouble.diagnostic ?? "").slice(0, MAX_REASON),
    });
  }

  #decide(open: Open, relay: string, outcome: Outcome): void {
    this.open = this.open.length === 1 ? [] : this.open.filter((each) => each !== open);
    const { request } = this, now = performance.now();
    const named = isReported(request.envelope, open.recipient) && relay !== "none";
    this.#outcomes.push(named ? { ...outcome, relay: relay.slice(0, MAX_RELAY) } : outcome);
    const connected = this.#connectedAt || now;
    delivered({
      queueId: this.queueId,
      recipient: open.recipient.address,
      original: open.recipient.original,
      relay,
      connectionUse: this.session?.uses ?? 1,
      delays: [
        request.activeAt - request.envelope.arrived,
        this.#startedAt - request.activeAt,
        connected - this.#began,
        now - connected,
      ],
      dsn: outcome.dsn,
      status: outcome.status,
      text: outcome.text,
    });
  }
}

const NOTHING_TRIED: Trouble = {
  dsn: "4.3.0",
  text: "no server could be tried",
  relay: "none",
  site: false,
};
