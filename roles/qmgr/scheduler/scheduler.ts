/**
 * What is delivered next (reference 2.3, 2.4). Transports take turns; within one the first job goes first, small jobs
 * overtake large ones; each destination has a window. No clock, no randomness, no input or output of its own: whoever
 * calls says what time it is, in milliseconds.
 */

import type { Entry, Problem } from "./destination.ts";
import type { SchedulerSettings } from "./settings.ts";
import { type Enqueued, type Group, type Notes, type Suspended, Transport } from "./transport.ts";

export { Entry, type Problem } from "./destination.ts";
export type { Group, Notes, Suspended } from "./transport.ts";

/** There is no agent for a transport, or none that answers. */
export const NO_TRANSPORT: Problem = { dsn: "4.3.0", text: "mail transport unavailable" };

export class Scheduler<M> {
  readonly transports = new Map<string, Transport<M>>();
  #ring: Transport<M>[] = [];
  #turn = 0;
  #settings: SchedulerSettings;

  constructor(settings: SchedulerSettings, readonly notes: Notes) {
    this.#settings = settings;
  }

  /** Takes a message's groups for one transport in. */
  enqueue(
    transport: string,
    message: M,
    groups: readonly Group[],
    now: number,
  ): Enqueued<M> {
    return this.#transport(transport).enqueue(message, groups, now);
  }

  /** The next entry for an agent, or undefined until something ends or comes in, or `wakeAt`. */
  next(now: number): Entry<M> | undefined {
    const ring = this.#ring;
    for (let i = 0; i < ring.length; i++) {
      this.#turn = (this.#turn + 1) % ring.length;
      const transport = ring[this.#turn]!;
      if (transport.ready(now)) return transport.next(now);
    }
  }

  /** A delivery ended; `problem` is one of the site. Returns what waited for a destination that is dead now. */
  finished(entry: Entry<M>, problem: Problem | null, now: number): Suspended<M>[] {
    return this.#transport(entry.destination.transport).finished(entry, problem, now);
  }

  /** A delivery ended because the transport cannot be reached: it is left alone for a while. */
  unreachable(entry: Entry<M>, now: number): Suspended<M>[] {
    const transport = this.#transport(entry.destination.transport);
    transport.released(entry, now);
    return transport.fail(NO_TRANSPORT, now);
  }

  /** A delivery ended for trouble of our own: nothing was learned. */
  released(entry: Entry<M>, now: number): void {
    this.#transport(entry.destination.transport).released(entry, now);
  }

  /** More mail for this destination is close: its agent should keep the session. */
  keep({ destination }: Entry<M>, now: number): boolean {
    return destination.waiting > 0 || destination.busy > 1 ||
      now - destination.endedAt <= KEEP_GAP_MS;
  }

  /** Takes out what waits of a message and returns it. */
  withdraw(message: M): Entry<M>[] {
    return this.#ring.flatMap((transport) => transport.withdraw(message));
  }

  /** Takes out one recipient that waits; true when its entry is empty then, undefined when it does not wait. */
  withdrawRecipient(message: M, n: number): boolean | undefined {
    for (const transport of this.#ring) {
      const empty = transport.withdrawRecipient(message, n);
      if (empty !== undefined) return empty;
    }
  }

  /** Forgets which destinations and transports are dead. */
  revive(): void {
    for (const transport of this.#ring) transport.revive();
  }

  /** When a rate delay ends and `next` should be asked again; 0 when none runs. */
  get wakeAt(): number {
    let wake = 0;
    for (const { wakeAt } of this.#ring) if (wakeAt && (!wake || wakeAt < wake)) wake = wakeAt;
    return wake;
  }

  /** Puts new settings into force: no pause that runs lasts longer than a new one would. */
  configure(settings: SchedulerSettings, now: number): void {
    this.#settings = settings;
    for (const transport of this.#ring) transport.configure(now);
  }

  #transport(name: string): Transport<M> {
    let transport = this.transports.get(name);
    if (!transport) {
      transport = new Transport(name, () => this.#settings, this.notes);
      this.transports.set(name, transport);
      this.#ring.push(transport);
    }
    return transport;
  }
}

/** Deliveries to one destination that are this close are one stream of mail (reference 2.4). */
const KEEP_GAP_MS = 1000;
