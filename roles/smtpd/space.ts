/** Whether the queue has room, as far as it is known here: smtpd sees no disk, only what became of the last message. */

/** After a message that did not fit, MAIL is refused for so long; then one message may try. */
export const REFUSE_MS = 1000;

export class Space {
  #until = 0;

  /** A message did not fit; `now` is in milliseconds by a clock that nobody can set. */
  full(now: number): void {
    this.#until = now + REFUSE_MS;
  }

  /** A message was queued. */
  taken(): void {
    this.#until = 0;
  }

  /** False while no mail should come; by the same clock. */
  admits(now: number): boolean {
    if (this.#until === 0) return true;
    if (now < this.#until) return false;
    // This one tries; the others wait for what becomes of it.
    this.full(now);
    return true;
  }
}
