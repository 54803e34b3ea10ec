/** One transport's work: its jobs in order, its destinations, and the choice of what goes next. */

import type { NumberedRecipient } from "../active_message.ts";
import { Destination, Entry, Peer, type Problem } from "./destination.ts";
import { Heap } from "./heap.ts";
import { Job } from "./job.ts";
import { canBeOvertaken, candidate, overtake, payable, returned } from "./preempt.ts";
import type { SchedulerSettings, TransportSettings } from "./settings.ts";

/** A destination without work is remembered so long: the next message finds the window that the last one left. */
const REMEMBER_MS = 5000;
/** How often forgetting is worth a look. */
const SWEEP_MS = 1000;

/** Told of what an operator may want to know. */
export interface Notes {
  warn(text: string): void;
  info(text: string): void;
}

/** Recipients that one destination gets of one message. */
export interface Group {
  readonly nexthop: string;
  /** The destination's name: lower-cased nexthop, or `user@nexthop` where each recipient is one. */
  readonly key: string;
  readonly recipients: readonly NumberedRecipient[];
}

/** What became of a message's groups: how many entries wait, and which must not be tried now. */
export interface Enqueued<M> {
  readonly waiting: number;
  readonly suspended: readonly Suspended<M>[];
}

/** An entry that is not tried now, and why. */
export interface Suspended<M> {
  readonly entry: Entry<M>;
  readonly problem: Problem;
}

export class Transport<M> {
  settings: TransportSettings;
  readonly destinations = new Map<string, Destination<M>>();
  readonly jobs = new Map<M, Job<M>[]>();
  /** Destinations whose next delivery may begin: the first job's first, and in turn within a job. */
  #open = new Heap<Destination<M>>((a, b) => {
    const orderA = a.first!.job.order, orderB = b.first!.job.order;
    return orderA === orderB ? a.turn < b.turn : orderA < orderB;
  });
  #lastJob: Job<M> | undefined;
  #arrivals = 0;
  #turns = 0;
  #busy = 0;
  /** Raised whenever a search for a job that may overtake could end differently. */
  #version = 0;
  #versionAt = 0;
  problem: Problem | undefined;
  deadUntil = 0;
  #pausedUntil = 0;
  #pausedDestinations = new Set<Destination<M>>();
  #sweptAt = 0;

  constructor(readonly name: string, readonly all: () => SchedulerSettings, readonly notes: Notes) {
    this.settings = all().transport(name);
  }

  /** True when `next` has something. */
  ready(now: number): boolean {
    this.#resume(now);
    const { transportRateDelay, transportConcurrency } = this.settings;
    return this.#open.size > 0 && this.#pausedUntil === 0 &&
      this.#busy < (transportRateDelay ? 1 : transportConcurrency);
  }

  /** Takes a message's groups in as a job. */
  enqueue(message: M, groups: readonly Group[], now: number): Enqueued<M> {
    this.#sweep(now);
    const suspended: Suspended<M>[] = [];
    const job = new Job(message, ++this.#arrivals, now);
    for (const group of groups) {
      const destination = this.#destination(group, now);
      const entries = this.#pack(message, destination, group.recipients);
      const problem = this.#deadTransport(now) ?? destination.problem;
      if (problem) { for (const entry of entries) suspended.push({ entry, problem }); }
      else this.#wait(job, destination, entries, now);
    }
    if (job.waiting) this.#link(job);
    return { waiting: job.waiting, suspended };
  }

  /** The next entry to hand to an agent; call only when `ready`. */
  next(now: number): Entry<M> {
    let destination = this.#open.least!;
    const current = destination.first!.job;
    if (canBeOvertaken(current, this.settings)) {
      this.#preempt(current, now);
      destination = this.#open.least!;
    }
    const peer = destination.first!;
    const entry = peer.entries.pop()!;
    destination.busy++;
    destination.turn = ++this.#turns;
    this.#busy++;
    peer.job.handed++;
    peer.job.slots++;
    this.#taken(peer);
    return entry;
  }

  /** A delivery ended; returns what was waiting if its destination is dead now. */
  finished(entry: Entry<M>, problem: Problem | null, now: number): Suspended<M>[] {
    const { destination } = entry;
    const { window } = destination;
    const before = window.size;
    let suspended: Suspended<M>[] = [];
    if (!problem) {
      window.succeeded(destination.busy);
      destination.problem = undefined;
    } else if (window.failed()) {
      suspended = this.#suspendDestination(destination, problem, now);
    }
    if (this.all().feedbackDebug && window.size !== before) this.#debug(destination, before);
    this.released(entry, now);
    return suspended;
  }

  /** A delivery ended, and nothing was learned of its destination. */
  released({ destination }: Entry<M>, now: number): void {
    destination.busy--;
    destination.endedAt = now;
    this.#busy--;
    this.#pause(destination, now);
    this.#update(destination);
  }

  /** The transport cannot be reached: everything that waits is given back. */
  fail(problem: Problem, now: number): Suspended<M>[] {
    this.problem = problem;
    this.deadUntil = now + this.settings.deadTransportTime;
    const suspended: Suspended<M>[] = [];
    for (const destination of this.destinations.values()) {
      suspended.push(...this.#empty(destination).map((entry) => ({ entry, problem })));
    }
    return suspended;
  }

  /** Takes out what waits of a message. */
  withdraw(message: M): Entry<M>[] {
    const entries: Entry<M>[] = [];
    for (const job of [...(this.jobs.get(message) ?? [])]) {
      for (const peer of [...job.peers.values()]) {
        while (peer.entries.length) {
          entries.push(peer.entries.pop()!);
          this.#taken(peer);
        }
      }
    }
    return entries;
  }

  /** Takes out one recipient that waits; true when its entry is empty then, undefined when it does not wait here. */
  withdrawRecipient(message: M, n: number): boolean | undefined {
    for (const job of this.jobs.get(message) ?? []) {
      for (const peer of job.peers.values()) {
        for (const [i, entry] of peer.entries.entries()) {
          const left = entry.recipients.filter((each) => each.n !== n);
          if (left.length === entry.recipients.length) continue;
          entry.recipients = left;
          if (left.length) return false;
          peer.entries.splice(i, 1);
          this.#taken(peer);
          return true;
        }
      }
    }
  }

  /** Tries again what was dead. */
  revive(): void {
    this.problem = undefined;
    this.deadUntil = 0;
    for (const destination of this.destinations.values()) this.#revive(destination);
  }

  /** When a rate delay ends; 0 when none runs. */
  get wakeAt(): number {
    const [first] = this.#pausedDestinations;
    if (!first || !this.#pausedUntil) return first?.pausedUntil ?? this.#pausedUntil;
    return Math.min(first.pausedUntil, this.#pausedUntil);
  }

  configure(now: number): void {
    this.settings = this.all().transport(this.name);
    const { destinationRateDelay, transportRateDelay } = this.settings;
    this.#pausedUntil = Math.min(this.#pausedUntil, now + transportRateDelay);
    // In the same order still, and before those that begin from now on.
    for (const destination of this.#pausedDestinations) {
      destination.pausedUntil = Math.min(destination.pausedUntil, now + destinationRateDelay);
    }
    for (const destination of this.destinations.values()) {
      destination.window.settings = this.settings;
      this.#update(destination);
    }
  }

  #destination({ nexthop, key }: Group, now: number): Destination<M> {
    let destination = this.destinations.get(key);
    if (!destination) {
      destination = new Destination<M>(this.name, nexthop, key, this.settings);
      this.destinations.set(key, destination);
    } else if (destination.problem && destination.deadUntil <= now) this.#revive(destination);
    return destination;
  }

  #deadTransport(now: number): Problem | undefined {
    if (this.problem && this.deadUntil <= now) this.problem = undefined;
    return this.problem;
  }

  #pack(
    message: M,
    destination: Destination<M>,
    recipients: readonly NumberedRecipient[],
  ): Entry<M>[] {
    const { recipientLimit } = this.settings;
    if (recipients.length <= recipientLimit) return [new Entry(message, destination, recipients)];
    const entries = [];
    for (let at = 0; at < recipients.length; at += recipientLimit) {
      entries.push(new Entry(message, destination, recipients.slice(at, at + recipientLimit)));
    }
    return entries;
  }

  #wait(job: Job<M>, destination: Destination<M>, entries: Entry<M>[], now: number): void {
    const peer = new Peer(job, destination);
    peer.entries.push(...entries.reverse());
    job.peers.set(destination, peer);
    job.waiting += entries.length;
    destination.waiting += entries.length;
    destination.link(peer);
    this.#update(destination);
    this.#warnOfClog(destination, now);
  }

  #link(job: Job<M>): void {
    const jobs = this.jobs.get(job.message);
    if (jobs) jobs.push(job);
    else this.jobs.set(job.message, [job]);
    job.before = this.#lastJob;
    if (this.#lastJob) this.#lastJob.after = job;
    this.#lastJob = job;
    this.#version++;
  }

  #unlink(job: Job<M>): void {
    const others = this.jobs.get(job.message)!.filter((each) => each !== job);
    if (others.length) this.jobs.set(job.message, others);
    else this.jobs.delete(job.message);
    if (job.before) job.before.after = job.after;
    if (job.after) job.after.before = job.before;
    else this.#lastJob = job.before;
    returned(job, this.settings);
    this.#version++;
  }

  /** One entry less waits at a peer. */
  #taken(peer: Peer<M>): void {
    const { job, destination } = peer;
    destination.waiting--;
    job.waiting--;
    if (!peer.entries.length) {
      destination.unlink(peer);
      job.peers.delete(destination);
    }
    if (!job.waiting) this.#unlink(job);
    this.#update(destination);
  }

  #preempt(current: Job<M>, now: number): void {
    // Scores change with time: once a second is often enough to look again.
    const second = Math.floor(now / 1000);
    if (second !== this.#versionAt) {
      this.#versionAt = second;
      this.#version++;
    }
    if (current.noCandidateAt === this.#version) return;
    const small = candidate(current, this.settings, now);
    if (!small) current.noCandidateAt = this.#version;
    else if (payable(current, small, this.settings)) this.#reorder(small, current);
  }

  /** Moves the small job before the current one. All its places are given up before its order changes. */
  #reorder(small: Job<M>, current: Job<M>): void {
    const peers = [...small.peers.values()];
    for (const { destination } of peers) this.#open.remove(destination);
    for (const peer of peers) peer.destination.unlink(peer);
    overtake(small, current, this.settings);
    for (const peer of peers) peer.destination.link(peer);
    for (const { destination } of peers) this.#update(destination);
  }

  /** Brings a destination's place among the open ones up to date. */
  #update(destination: Destination<M>): void {
    if (destination.open) this.#open.put(destination);
    else this.#open.remove(destination);
  }

  #empty(destination: Destination<M>): Entry<M>[] {
    const entries: Entry<M>[] = [];
    while (destination.first) {
      const peer = destination.first;
      entries.push(peer.entries.pop()!);
      this.#taken(peer);
    }
    return entries;
  }

  #suspendDestination(destination: Destination<M>, cause: Problem, now: number): Suspended<M>[] {
    const problem = { dsn: cause.dsn, text: `delivery temporarily suspended: ${cause.text}` };
    destination.problem = problem;
    destination.deadUntil = now + this.settings.deadDestinationTime;
    return this.#empty(destination).map((entry) => ({ entry, problem }));
  }

  #revive(destination: Destination<M>): void {
    if (!destination.problem) return;
    destination.problem = undefined;
    destination.window.revive(destination.busy);
    this.#update(destination);
  }

  #pause(destination: Destination<M>, now: number): void {
    const { destinationRateDelay, transportRateDelay } = this.settings;
    if (destinationRateDelay) {
      destination.pausedUntil = now + destinationRateDelay;
      this.#pausedDestinations.delete(destination);
      this.#pausedDestinations.add(destination);
    }
    if (transportRateDelay) this.#pausedUntil = now + transportRateDelay;
  }

  #resume(now: number): void {
    if (this.#pausedUntil && this.#pausedUntil <= now) this.#pausedUntil = 0;
    // One delay for all of them: they end in the order in which they began.
    for (const destination of this.#pausedDestinations) {
      if (destination.pausedUntil > now) break;
      this.#pausedDestinations.delete(destination);
      destination.pausedUntil = 0;
      this.#update(destination);
    }
  }

  /** Forgets destinations that have had no work for a while, and the dead whose time is over. */
  #sweep(now: number): void {
    if (now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    let dead = 0;
    for (const [key, destination] of this.destinations) {
      if (!destination.idle || destination.pausedUntil > now) continue;
      const forget = destination.problem
        ? destination.deadUntil <= now || ++dead > this.all().maxDead
        : destination.endedAt + REMEMBER_MS <= now;
      if (forget) this.destinations.delete(key);
    }
  }

  #warnOfClog(destination: Destination<M>, now: number): void {
    const { activeLimit, clogWarnTime } = this.all();
    const used = destination.waiting + destination.busy;
    if (used * 5 <= activeLimit || now < destination.clogWarnedAt + clogWarnTime) return;
    destination.clogWarnedAt = now;
    this.notes.warn(
      `mail for ${destination.nexthop} is using up ${used} of ${activeLimit} active queue entries`,
    );
    this.notes.warn(`you may need to reduce ${this.name} connect and helo timeouts`);
    this.notes.warn("so that Postfix quickly skips unavailable hosts");
  }

  #debug({ key, window, busy }: Destination<M>, before: number): void {
    this.notes.info(
      `${this.name}:${key}: concurrency ${before} -> ${window.size}, ${busy} busy, ` +
        `success ${window.success}, failure ${window.failure}, cohorts ${window.failedCohorts}`,
    );
  }
}
