/**
 * A destination: where one transport takes mail to, with the deliveries that wait for it and the window that says how
 * many may run. A peer is one message's part of them; peers stand in the order of their jobs.
 */

import type { NumberedRecipient } from "../active_message.ts";
import type { Heaped } from "./heap.ts";
import type { Job } from "./job.ts";
import type { TransportSettings } from "./settings.ts";
import { Window } from "./window.ts";

/** Why a destination or a transport is left alone. */
export interface Problem {
  readonly dsn: string;
  readonly text: string;
}

/** Recipients of one message for one destination that go to an agent together. */
export class Entry<M> {
  constructor(
    readonly message: M,
    readonly destination: Destination<M>,
    public recipients: readonly NumberedRecipient[],
  ) {}
}

/** What one message has waiting for one destination. */
export class Peer<M> {
  /** Next first at the end: taking one is a pop. */
  readonly entries: Entry<M>[] = [];
  before: Peer<M> | undefined;
  after: Peer<M> | undefined;
  linked = false;

  constructor(readonly job: Job<M>, readonly destination: Destination<M>) {}
}

export class Destination<M> implements Heaped {
  readonly window: Window;
  place = -1;
  /** Deliveries under way. */
  busy = 0;
  /** Entries that wait. */
  waiting = 0;
  /** The peer whose job is first. */
  first: Peer<M> | undefined;
  #last: Peer<M> | undefined;
  /** When it was last served, as a number that only grows: peers of one job take turns by it. */
  turn = 0;
  /** Set while it is dead. */
  problem: Problem | undefined;
  /** When a dead destination is tried again. */
  deadUntil = 0;
  /** A rate delay lasts until then. */
  pausedUntil = 0;
  /** When its last delivery ended; with nothing waiting it is forgotten some time after. */
  endedAt = 0;
  clogWarnedAt = 0;

  constructor(
    readonly transport: string,
    readonly nexthop: string,
    readonly key: string,
    settings: TransportSettings,
  ) {
    this.window = new Window(settings);
  }

  /** True when the next delivery may begin. */
  get open(): boolean {
    return this.first !== undefined && this.window.size > this.busy && this.pausedUntil === 0;
  }

  /** True when there is nothing that could not be made again. */
  get idle(): boolean {
    return this.busy === 0 && this.waiting === 0;
  }

  /** Puts a peer where its job belongs. */
  link(peer: Peer<M>): void {
    let before = this.#last;
    if (before && before.job.order > peer.job.order) {
      // Only a job that overtakes comes here, and it goes close to the first.
      let after = this.first!;
      while (after.job.order <= peer.job.order) after = after.after!;
      before = after.before;
    }
    peer.before = before;
    peer.after = before ? before.after : this.first;
    if (peer.before) peer.before.after = peer;
    else this.first = peer;
    if (peer.after) peer.after.before = peer;
    else this.#last = peer;
    peer.linked = true;
  }

  unlink(peer: Peer<M>): void {
    if (!peer.linked) return;
    if (peer.before) peer.before.after = peer.after;
    else this.first = peer.after;
    if (peer.after) peer.after.before = peer.before;
    else this.#last = peer.before;
    peer.before = peer.after = undefined;
    peer.linked = false;
  }
}
