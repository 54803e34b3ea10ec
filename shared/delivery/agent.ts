/**
 * What every delivery agent has in common: it answers qmgr's `deliver`, and it keeps each outcome until qmgr has made
 * it durable. When qmgr dies in between, delivery goes on, and the restarted qmgr is told: first `working`, then `report`.
 */

import { BugError, reason } from "../errors.ts";
import type { Client } from "../ipc/client.ts";
import type { Content } from "../ipc/content.ts";
import { answer, type Answerer, type Conversation } from "../ipc/server.ts";
import {
  type DeliveryReply,
  type DeliveryRequest,
  deliveryService,
  type Handed,
} from "../protocols/delivery.ts";
import { isFitting, statusFor } from "../mail/verify.ts";
import type { outcomesService } from "../protocols/queue.ts";
import { fitReply } from "./fit.ts";
import { Reporter, type Unsettled } from "./reporter.ts";

/**
 * One attempt: exactly one outcome for each recipient handed over. `signal` aborts when qmgr is gone; a delivery whose
 * content has arrived whole goes on all the same, otherwise reading `content` throws and nothing may be committed.
 */
export type Deliver = (
  request: DeliveryRequest,
  content: Content,
  signal: AbortSignal,
) => Promise<DeliveryReply>;

export type OutcomesClient = Client<typeof outcomesService.calls>;

/** How long a drain waits for a qmgr that is away to take the outcomes that are left. */
const DRAIN_REPORT_MS = 5000;

/** Answers the delivery service of `transport` with `deliver`; the role lists it among its `answers`. */
export function deliveryAnswerer(
  transport: string,
  outcomes: OutcomesClient,
  deliver: Deliver,
): Answerer {
  const reporter = new Reporter(outcomes);
  const running = new Set<Unsettled>();
  let onIdle: (() => void) | undefined;

  async function handle(request: DeliveryRequest, conversation: Conversation) {
    const unsettled: Unsettled = {
      handed: handed(request),
      outcomes: undefined,
      told: false,
    };
    running.add(unsettled);
    conversation.settled.then((durable) => {
      if (!durable) reporter.add(unsettled);
    });
    try {
      const whole = await deliver(request, conversation.content, conversation.signal);
      checkOutcomes(request, whole);
      const reply = fitReply(whole);
      unsettled.outcomes = reply.outcomes;
      return reply;
    } catch (error) {
      // Nothing became of these recipients: the queue still has them.
      unsettled.outcomes = [];
      throw error;
    } finally {
      running.delete(unsettled);
      reporter.finished(unsettled);
      if (running.size === 0) onIdle?.();
    }
  }

  const answerer = answer(deliveryService(transport), { deliver: handle });
  return {
    service: answerer.service,
    get busy() {
      return Math.max(answerer.busy, running.size) + reporter.size;
    },
    get connections() {
      return answerer.connections;
    },
    attach: (socket) => answerer.attach(socket),
    allow: (connections) => answerer.allow(connections),
    async drain() {
      await answerer.drain();
      if (running.size) await new Promise<void>((resolve) => (onIdle = resolve));
      await reporter.drain(DRAIN_REPORT_MS);
    },
  };
}

/** A request as its agent names it to qmgr afterwards. */
export function handed({ envelope, recipients, seal }: DeliveryRequest): Handed {
  return { queueId: envelope.queueId, recipients: recipients.map(({ n }) => n), seal };
}

/**
 * An agent that forgets a recipient, speaks for another's, or only verifies what it was to deliver, would lose or duplicate
 * mail: that is our fault.
 */
function checkOutcomes(request: DeliveryRequest, reply: DeliveryReply): void {
  const { envelope, recipients } = request, { outcomes } = reply;
  const wrong = () =>
    new BugError(
      `deliver: ${envelope.queueId}: outcomes for ${
        outcomes.map((each) => `${each.n} ${each.status}`).join(",") || "none"
      }, recipients ${recipients.map((each) => each.n).join(",")}`,
    );
  if (outcomes.length !== recipients.length) throw wrong();
  if (recipients.length === 1) {
    const only = outcomes[0]!;
    if (only.n !== recipients[0]!.n || !isFitting(envelope, only)) throw wrong();
    return;
  }
  const open = new Set(recipients.map((each) => each.n));
  for (const each of outcomes) {
    if (!open.delete(each.n) || !isFitting(envelope, each)) throw wrong();
  }
}

/** The reply that defers every recipient for local trouble; never a verdict about the site. */
export function deferAll(request: DeliveryRequest, dsn: string, error: unknown): DeliveryReply {
  const text = reason(error).replace(/[^ -~]/g, "?").slice(0, 500);
  return {
    outcomes: request.recipients.map(({ n }) => ({
      ...{ n, status: statusFor(request.envelope, "deferred") },
      ...{ dsn, text, remoteMta: "", diagnostic: "" },
    })),
    siteProblem: null,
  };
}
