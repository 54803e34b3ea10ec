/** Outcomes of many recipients in one frame: their texts give way, never an outcome. */

import { encodeHeader } from "../ipc/check.ts";
import { ENVELOPE_HEADER_BYTES } from "../ipc/declare.ts";
import { MAX_REASON, type Outcome } from "../mail/envelope.ts";
import type { DeliveryReply } from "../protocols/delivery.ts";

/** What a reply or a report has beside its outcomes at most: 5000 recipients' numbers, or the reason for a site's problem. */
const BESIDE_BYTES = 64 * 1024;
/** A reply with more would be refused as a whole, and delivered recipients would be delivered again. */
const MAX_BYTES = ENVELOPE_HEADER_BYTES - BESIDE_BYTES;
/** The longest outcome: two texts, two names and the rest, where JSON makes six bytes of each character. */
const MAX_OUTCOME_BYTES = 6 * (2 * MAX_REASON + 600) + 500;

/** The reply with texts of outcomes no longer than fit the longest header of `delivery` and `outcomes`, whatever they are. */
export function fitReply(reply: DeliveryReply): DeliveryReply {
  const { outcomes } = reply;
  if (outcomes.length * MAX_OUTCOME_BYTES <= MAX_BYTES) return reply;
  let fitting = outcomes;
  for (let most = MAX_REASON; encodeHeader(fitting).length > MAX_BYTES; most >>= 1) {
    fitting = outcomes.map((each) => shortened(each, most));
  }
  return { ...reply, outcomes: fitting };
}

/** An outcome without what is beyond `most` characters of each text; names only go when nothing else is left. */
function shortened(outcome: Outcome, most: number): Outcome {
  const text = outcome.text.slice(0, most), diagnostic = outcome.diagnostic.slice(0, most);
  if (most > 0) return { ...outcome, text, diagnostic };
  const { relay: _, ...rest } = outcome;
  return { ...rest, text, diagnostic, remoteMta: "" };
}
