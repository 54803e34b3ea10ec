/** A job: one message's deliveries by one transport, and its place in the order of the transport's work. */

import type { Destination, Peer } from "./destination.ts";

export class Job<M> {
  readonly peers = new Map<Destination<M>, Peer<M>>();
  /** Neighbours in the order of arrival. */
  before: Job<M> | undefined;
  after: Job<M> | undefined;
  /** Smaller goes first: the number of arrival, or just before the job that was overtaken. */
  order: number;
  /** Entries that wait, and entries that were handed out. */
  waiting = 0;
  handed = 0;
  /** Deliveries that others may take in its stead: one for each entry handed out, less what was taken. */
  slots = 0;
  /** The job it has overtaken; how many entries it needed then, and how many it had handed out. */
  parent: Job<M> | undefined;
  needed = 0;
  handedBefore = 0;
  /** Jobs that have overtaken this one and are not finished. */
  children = 0;
  /** Jobs that overtake get an order above this, which rises from `base`. */
  floor: number;
  base: number;
  /** No job after it could overtake it when the transport had this version. */
  noCandidateAt = -1;

  constructor(readonly message: M, arrival: number, readonly enqueuedAt: number) {
    this.order = arrival;
    this.base = this.floor = arrival - 1;
  }

  get total(): number {
    return this.waiting + this.handed;
  }
}
