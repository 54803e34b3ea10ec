/** bounce: write a report (RFC 3464) and submit it with the null sender. Asked by qmgr. */

import { call, ENVELOPE_HEADER_BYTES, service } from "../ipc/declare.ts";
import { count, line, shape, type Static, Type } from "../ipc/schema.ts";
import { derivedSource } from "../mail/derived_source.ts";
import { Envelope, MAX_RECIPIENTS, Outcome, Recipient, SourceId, Time } from "../mail/envelope.ts";

/** Recipients that one report is asked for: whatever servers said of them fits into a call. */
export const RECIPIENTS_PER_REPORT = 500;

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
  /** Until when delivery is tried to recipients that are delayed; 0 when it is not. */
  retryUntil: Time,
  /** The same when the same report is asked for again: whoever asked may have died before it heard that it is queued. */
  source: Type.Optional(SourceId),
});
export type Report = Static<typeof Report>;

/**
 * The sources of what was made when a report with this one was asked for, but told only of the first recipients: of the report,
 * and of the copy that a postmaster may get.
 */
export function madeSources(
  source: string,
  told: number,
  asked: number,
): { report: string; copy: string } {
  const report = told === asked ? source : derivedSource(source, `first ${told}`);
  return { report, copy: derivedSource(report, "postmaster copy") };
}

export const bounceService = service("bounce", {
  /**
   * Content: the original, whole or its first `bounce_size_limit` bytes. `queueId` is empty when no report is due. `told` is how
   * many of the recipients are dealt with, from the first on: one message takes only so much, and the others need another.
   */
  report: call({
    request: Report,
    reply: shape({
      queueId: line(40),
      told: Type.Integer({ minimum: 1, maximum: MAX_RECIPIENTS }),
    }),
    contentIn: true,
    deadlineSeconds: 600,
    headerBytes: ENVELOPE_HEADER_BYTES,
  }),
});
