/** Outcomes that no agent came to: worded as fits the message, with the line that an agent would have written. */

import { delivered, type Delivery } from "../../shared/log/lines.ts";
import { MAX_REASON, type Outcome } from "../../shared/mail/envelope.ts";
import { worded } from "../../shared/mail/verify.ts";
import type { ActiveMessage, NumberedRecipient } from "./active_message.ts";
import type { Entry } from "./scheduler/scheduler.ts";

/** One that was `made` at the time `now`, with as much of its text as is kept; `agent` is in whose name. */
export function ownOutcome(
  message: ActiveMessage,
  recipient: NumberedRecipient,
  made: Outcome,
  agent: Delivery["agent"],
  now: number,
): Outcome {
  const { queueId, activeAt, envelope } = message;
  const outcome = worded(envelope, { ...made, text: made.text.slice(0, MAX_REASON) });
  delivered({
    queueId,
    recipient: recipient.address,
    original: recipient.original,
    relay: "none",
    delays: [activeAt - envelope.arrived, now - activeAt, 0, 0],
    dsn: outcome.dsn,
    status: outcome.status,
    text: outcome.text,
    agent,
  });
  return outcome;
}

/** Those of an entry's recipients, in their order. */
export function ownOutcomes(
  { message, recipients }: Entry<ActiveMessage>,
  made: readonly Outcome[],
  now: number,
): Outcome[] {
  return made.map((outcome, i) => ownOutcome(message, recipients[i]!, outcome, "error", now));
}
