/** bounce: write a report (RFC 3464) and submit it with the null sender. Asked by qmgr. */

import { call, ENVELOPE_HEADER_BYTES, service } from "../ipc/declare.ts";
import { count, line, shape, type Static, Type } from "../ipc/schema.ts";
import { derivedSource } from "../mail/derived_source.ts";
import { Envelope, MAX_RECIPIENTS, Outcome, Recipient, SourceId } from "../mail/envelope.ts";

/** Recipients of one report: with whatever servers said of them it fits into a call, and is a message that the queue takes. */
export const RECIPIENTS_PER_REPORT = 1000;

export const Report = shape({
  /** `success` reports delivered recipients for NOTIFY=SUCCESS; `trace` all recipients, as the envelope's `trace` asks. */
  kind: Type.Enum(["failure", "delay", "success", "trace"]),
  envelope: Envelope,
  /** Content bytes of the whole original message. */
  size: count(),
  recipients: Type.Array(
    shape({ ...Recipient.properties, outcome: Outcome }),
    { minItems: 1, maxItems: MAX_RECIPIENTS },
  ),
  /** Until when delivery is tried to recipients that are delayed, milliseconds since the epoch; 0 when it is not. */
  retryUntil: count(),
  /** The same when the same report is asked for again: whoever asked may have died before it heard that it is queued. */
  source: Type.Optional(SourceId),
});
export type Report = Static<typeof Report>;

/** The source of the copy that a postmaster may get of the report with this one. */
export function copySource(source: string): string {
  return derivedSource(source, "postmaster copy");
}

export const bounceService = service("bounce", {
  /** Content: the original, whole or its first `bounce_size_limit` bytes. `queueId` is empty when no report is due. */
  report: call({
    request: Report,
    reply: shape({ queueId: line(40) }),
    contentIn: true,
    deadlineSeconds: 600,
    headerBytes: ENVELOPE_HEADER_BYTES,
  }),
});
