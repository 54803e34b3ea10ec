/** delivery: qmgr hands recipients of one message for one destination to an agent. Every transport answers it. */

import { call, ENVELOPE_HEADER_BYTES, service } from "../ipc/declare.ts";
import { count, line, shape, type Static, Type } from "../ipc/schema.ts";
import {
  Dsn,
  Envelope,
  MAX_ADDRESS,
  MAX_REASON,
  MAX_RECIPIENTS,
  Outcome,
  Recipient,
  Time,
} from "../mail/envelope.ts";

/** 128 bits in hexadecimal. */
export const SEAL_CHARS = 32;

/** What was handed over, as an agent names it to a qmgr that may not remember. */
export const Handed = shape({
  queueId: line(40),
  /** The numbers of all recipients of one request, in its order. */
  recipients: Type.Array(count(MAX_RECIPIENTS), { maxItems: 5000 }),
  seal: line(SEAL_CHARS),
});
export type Handed = Static<typeof Handed>;

export const DeliveryRequest = shape({
  envelope: Envelope,
  /** Content bytes, headers included. */
  size: count(),
  nexthop: line(MAX_ADDRESS),
  recipients: Type.Array(
    shape({ n: count(MAX_RECIPIENTS), ...Recipient.properties }),
    { minItems: 1, maxItems: 5000 },
  ),
  /** When the message became active, for delays=. */
  activeAt: Time,
  /** More mail for this destination is close: keep the session. */
  keep: Type.Boolean(),
  /** qmgr's mark on these recipients: goes with whatever the agent has to say or ask about them later. */
  seal: line(SEAL_CHARS),
});
export type DeliveryRequest = Static<typeof DeliveryRequest>;

export const DeliveryReply = shape({
  /** Exactly one for each recipient that was handed over. */
  outcomes: Type.Array(Outcome, { maxItems: 5000 }),
  /** The destination itself failed (refused, greeting 4xx, timed out): the scheduler lowers its concurrency. */
  siteProblem: Type.Union([Type.Null(), shape({ dsn: Dsn, text: line(MAX_REASON) })]),
});
export type DeliveryReply = Static<typeof DeliveryReply>;

/** The delivery service of one transport, named after its line in master.cf. */
export function deliveryService(transport: string) {
  return service(transport, {
    deliver: call({
      request: DeliveryRequest,
      reply: DeliveryReply,
      contentIn: true,
      settles: true,
      deadlineSeconds: 18_000,
      headerBytes: ENVELOPE_HEADER_BYTES,
    }),
  });
}
