/** Recipients that agents deliver, or have delivered, for a former qmgr: they stay out of the schedule until that ends. */

import { PeerError } from "../../shared/errors.ts";
import type { ActiveMessage, NumberedRecipient } from "./active_message.ts";

/** Recipients claimed at most: an agent that claims everything would stop delivery. */
const MAX_CLAIMED = 100_000;

interface Claim {
  readonly queueId: string;
  readonly open: Set<number>;
  readonly ended: () => void;
}

export class Claims {
  #byMessage = new Map<string, Set<Claim>>();
  #claimed = 0;

  /** `released` hears of recipients that nobody claims any more and of which nothing was reported. */
  constructor(readonly released: (queueId: string, n: number) => void) {}

  /** Claims recipients until `signal` aborts or all of them were reported; resolves then. */
  async claim(
    queueId: string,
    recipients: readonly number[],
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#claimed + recipients.length > MAX_CLAIMED) {
      throw new PeerError(`working: over ${MAX_CLAIMED} recipients`);
    }
    const open = new Set(recipients);
    if (!open.size) return;
    this.#claimed += open.size;
    await new Promise<void>((ended) => {
      const claims = this.#byMessage.get(queueId) ?? new Set();
      claims.add({ queueId, open, ended });
      this.#byMessage.set(queueId, claims);
      if (signal.aborted) ended();
      else signal.addEventListener("abort", () => ended(), { once: true });
    });
    this.#remove(queueId, open);
  }

  /** Keeps a recipient out of the schedule if it is claimed; its message waits for it. */
  withhold(message: ActiveMessage, recipient: NumberedRecipient): boolean {
    if (this.#claimed === 0 || !this.#isClaimed(message.queueId, recipient.n)) return false;
    message.withhold(recipient);
    return true;
  }

  /** Outcomes have come: the claims on these recipients are settled. */
  reported(queueId: string, recipients: readonly number[]): void {
    for (const claim of this.#byMessage.get(queueId) ?? []) {
      for (const n of recipients) if (claim.open.delete(n)) this.#claimed--;
      if (!claim.open.size) claim.ended();
    }
  }

  /** An agent has ended with these recipients, and nothing became of them: they are nobody's again. */
  dropped(queueId: string, recipients: readonly number[]): void {
    for (const claim of this.#byMessage.get(queueId) ?? []) {
      if (recipients.some((n) => claim.open.has(n))) claim.ended();
    }
  }

  /** Ends every conversation about claims: qmgr itself ends. */
  end(): void {
    for (const claims of this.#byMessage.values()) for (const claim of claims) claim.ended();
  }

  #isClaimed(queueId: string, n: number): boolean {
    for (const claim of this.#byMessage.get(queueId) ?? []) if (claim.open.has(n)) return true;
    return false;
  }

  #remove(queueId: string, open: Set<number>): void {
    const claims = this.#byMessage.get(queueId);
    for (const claim of claims ?? []) if (claim.open === open) claims!.delete(claim);
    if (!claims?.size) this.#byMessage.delete(queueId);
    this.#claimed -= open.size;
    for (const n of open) if (!this.#isClaimed(queueId, n)) this.released(queueId, n);
  }
}
