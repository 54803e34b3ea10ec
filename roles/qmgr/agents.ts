/** Delivery agents as qmgr sees them: handed recipients and content, and not believed blindly. */

import { EMPTY } from "../../shared/bytes.ts";
import { BugError, reason } from "../../shared/errors.ts";
import type { Client } from "../../shared/ipc/client.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { warning } from "../../shared/log/log.ts";
import type { Envelope, Outcome } from "../../shared/mail/envelope.ts";
import { isFitting, isVerified } from "../../shared/mail/verify.ts";
import {
  type DeliveryReply,
  type DeliveryRequest,
  deliveryService,
} from "../../shared/protocols/delivery.ts";
import { DamagedRecord, type QueueReader } from "../../shared/queue/store.ts";
import type { ActiveMessage, NumberedRecipient } from "./active_message.ts";
import { type Entry, NO_TRANSPORT, type Problem } from "./scheduler/scheduler.ts";
import type { Seals } from "./seals.ts";

export type DeliveryClient = Client<ReturnType<typeof deliveryService>["calls"]>;

/** What came of handing an entry out. */
export interface Attempt {
  readonly outcomes: readonly Outcome[];
  /** `site`: what the destination did wrong, or null. `unreachable`: there is no agent. `local`: our own trouble. */
  readonly lesson: { readonly site: Problem | null } | "unreachable" | "local";
  /** The message cannot be read. */
  readonly damaged?: boolean;
  /** How we know that the agent died: it may have delivered, and may not. */
  readonly lost?: string;
  /** Outcomes of our own making, which no agent has logged. */
  readonly unlogged?: boolean;
  /** Tells the agent that its outcomes are durable. */
  settle(): void;
}

const DAMAGED: Problem = { dsn: "4.3.0", text: "damaged queue file" };
const UNREADABLE: Problem = { dsn: "4.3.0", text: "queue file read error" };
const BROKEN: Problem = { dsn: "4.3.0", text: "unknown mail transport error" };
const nothing = () => {};
/** What a broken connection says when it never was one. */
const CANNOT_CONNECT = /: connect E[A-Z]+/;

export class Agents {
  constructor(
    readonly clientOf: (transport: string) => DeliveryClient,
    readonly store: Pick<QueueReader, "content">,
    readonly seals: Seals,
  ) {}

  /** Hands an entry to its agent; whatever happens there comes back as outcomes, never as an error. */
  async deliver(entry: Entry<ActiveMessage>, keep: boolean): Promise<Attempt> {
    const { message, recipients, destination: { transport, nexthop } } = entry;
    const { envelope, size, activeAt } = message;
    try {
      // Without the content nobody can deliver what is only to be verified.
      const content = isVerified(envelope)
        ? EMPTY
        : message.content ?? await this.store.content(envelope.queueId);
      const request: DeliveryRequest = {
        envelope,
        size,
        nexthop,
        recipients: recipients as DeliveryRequest["recipients"],
        activeAt,
        keep,
        seal: this.seals.of(envelope.queueId, recipients.map(({ n }) => n)),
      };
      const client = this.clientOf(transport);
      const { reply, settle } = await client.call("deliver", request, content);
      if (isComplete(reply, recipients, envelope)) {
        return { outcomes: reply.outcomes, lesson: { site: reply.siteProblem }, settle };
      }
      warning(`transport ${transport}: outcomes are not those of the recipients handed over`);
      return { ...broken(recipients), settle };
    } catch (error) {
      return failure(transport, recipients, error);
    }
  }
}

/** Exactly the recipients that were handed over, each once, and of each what may be said of this message. */
function isComplete(
  { outcomes }: DeliveryReply,
  recipients: readonly NumberedRecipient[],
  envelope: Envelope,
): boolean {
  if (outcomes.length !== recipients.length) return false;
  if (outcomes.length === 1) {
    return outcomes[0]!.n === recipients[0]!.n && isFitting(envelope, outcomes[0]!);
  }
  const open = new Set(recipients.map(({ n }) => n));
  return outcomes.every((each) => open.delete(each.n) && isFitting(envelope, each));
}

function failure(
  transport: string,
  recipients: readonly NumberedRecipient[],
  error: unknown,
): Attempt {
  if (error instanceof DamagedRecord) {
    warning(`damaged content: ${error.message}`);
    return {
      ...deferAll(recipients, DAMAGED),
      lesson: "local",
      damaged: true,
    };
  }
  // No such service in master.cf, or nobody behind its socket.
  const absent = error instanceof BugError ||
    (error instanceof CallError && error.code === "unavailable" &&
      CANNOT_CONNECT.test(error.message));
  if (absent) {
    warning(`connect to transport ${transport}: ${reason(error)}`);
    return { ...deferAll(recipients, NO_TRANSPORT), lesson: "unreachable" };
  }
  if (error instanceof CallError && error.code === "unavailable") {
    return { ...broken(recipients), lost: reason(error) };
  }
  warning(`transport ${transport}: ${reason(error)}`);
  if (error instanceof CallError) return broken(recipients);
  return { ...deferAll(recipients, UNREADABLE), lesson: "local" };
}

/** An agent that breaks or lies: its destination is blamed, so that others are not held up for long. */
function broken(recipients: readonly NumberedRecipient[]): Attempt {
  return { ...deferAll(recipients, BROKEN), lesson: { site: BROKEN } };
}

function deferAll(recipients: readonly NumberedRecipient[], { dsn, text }: Problem) {
  const outcomes = recipients.map(({ n }) => deferral(n, dsn, text));
  return { outcomes, unlogged: true, settle: nothing };
}

/** A deferral for a reason of our own. */
export function deferral(n: number, dsn: string, text: string): Outcome {
  return { n, status: "deferred", dsn, text, remoteMta: "", diagnostic: "" };
}
