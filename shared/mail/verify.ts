/**
 * Messages whose recipients are only verified (sendmail -bv): nothing is delivered, and what a delivery would come to has
 * words of its own, so that no agent can end other mail by having looked at where it would go.
 */

import type { Envelope, Outcome, Recipient } from "./envelope.ts";

type Status = Outcome["status"];

/** What becomes of a recipient whose mail is delivered. */
export type DeliveryStatus = Exclude<Status, "deliverable" | "undeliverable">;

/** True when nothing of this message may be delivered. */
export function isVerified({ trace }: Pick<Envelope, "trace">): boolean {
  return trace === "verify";
}

/** The word for this message; an address that cannot be delivered to now is undeliverable, for nobody tries again. */
export function statusFor(envelope: Pick<Envelope, "trace">, status: DeliveryStatus): Status {
  if (!isVerified(envelope)) return status;
  return status === "sent" ? "deliverable" : "undeliverable";
}

/** An outcome of our own making, with the word for this message. */
export function worded<T extends { readonly status: Status }>(
  envelope: Pick<Envelope, "trace">,
  outcome: T,
): T {
  const { status } = outcome;
  if (!isVerified(envelope) || status === "deliverable" || status === "undeliverable") {
    return outcome;
  }
  return { ...outcome, status: statusFor(envelope, status) };
}

/** True when this may be said of a recipient of this message. */
export function isFitting(
  envelope: Pick<Envelope, "trace">,
  { status }: Pick<Outcome, "status">,
): boolean {
  return isVerified(envelope) === (status === "deliverable" || status === "undeliverable");
}

/** True when a report may come to tell by which relay: of a first attempt that is to be reported, or of a success. */
export function isReported(
  { trace }: Pick<Envelope, "trace">,
  { notify }: Pick<Recipient, "notify">,
): boolean {
  return trace !== undefined || notify.includes("SUCCESS");
}
