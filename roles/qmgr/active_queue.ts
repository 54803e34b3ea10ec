/**
 * The active queue: messages in memory, on their way from routing over the scheduler and the agents to completion. The
 * main loop is `#turn`; a message's life is `admit`, `#route`, `#deliver`, `#conclude`, and then `complete.ts`.
 */

import { counter } from "../../shared/counters.ts";
import { reason, StorageError } from "../../shared/errors.ts";
import { info, warning } from "../../shared/log/log.ts";
import { active } from "../../shared/log/lines.ts";
import type { Outcome } from "../../shared/mail/envelope.ts";
import { DamagedRecord, OPEN, type QueueStore } from "../../shared/queue/store.ts";
import { stopAt } from "../../shared/stop_points.ts";
import { timerMs } from "../../shared/timer.ts";
import { type Agents, type Attempt, deferral } from "./agents.ts";
import type { Claims } from "./claims.ts";
import type { Committer } from "./committer.ts";
import type { Completer } from "./complete.ts";
import {
  type ActiveMessage,
  type Disposition,
  numbered,
  type NumberedRecipient,
} from "./active_message.ts";
import { ownOutcome, ownOutcomes } from "./own_outcome.ts";
import { group, type Groups, type Route, type Router } from "./router.ts";
import { type Entry, Scheduler, type Suspended } from "./scheduler/scheduler.ts";
import type { SchedulerSettings } from "./scheduler/settings.ts";

const deliveries = counter("qmgr_deliveries", "deliveries handed to agents");

/** Recipients of one message that are read at a time. */
const MAX_PAGE = 5000;
/** Recipients of an agent that died rest so long: if it has only lost us, it claims them meanwhile. */
const RETRY_MS = 2000;
/** A message whose agents die more often waits its ordinary time: it may be what kills them. */
const MAX_RETRIES = 3;

/** The bounds of what is in memory. */
export interface ActiveLimits {
  readonly messages: number;
  readonly recipients: number;
  /** What each message gets at least. */
  readonly recipientMinimum: number;
}

/** What the active queue is made of. */
export interface Parts {
  readonly store: QueueStore;
  readonly committer: Committer;
  readonly router: Router;
  readonly agents: Agents;
  readonly completer: Completer;
  readonly claims: Claims;
  readonly now: () => number;
  /** For the schedule: a clock that is set must neither hold mail back nor wake us without end. */
  readonly steady: () => number;
}

export class ActiveQueue {
  readonly messages = new Map<string, ActiveMessage>();
  readonly scheduler: Scheduler<ActiveMessage>;
  /** Told when a message has left and another may come in. */
  onRoom: (left: ActiveMessage) => void = () => {};
  /** Places promised to mail that is being committed. */
  reserved = 0;
  /** Content held in memory. */
  contentBytes = 0;
  retryMs = RETRY_MS;
  #held = 0;
  #running = 0;
  #turning = false;
  #stopped = false;
  /** Resolved when nothing runs any more of what ran at the stop, or when that was waited for long enough. */
  readonly #ended = Promise.withResolvers<void>();
  #giveUp: ReturnType<typeof setTimeout> | undefined;
  #wake: ReturnType<typeof setTimeout> | undefined;
  #retries = new Set<ReturnType<typeof setTimeout>>();

  constructor(readonly parts: Parts, settings: SchedulerSettings, public limits: ActiveLimits) {
    this.scheduler = new Scheduler(settings, { warn: warning, info });
  }

  /** Takes a message in; `recipients` are its first, in order, and may be all. */
  admit(message: ActiveMessage, recipients: readonly NumberedRecipient[]): void {
    this.messages.set(message.queueId, message);
    active(message.queueId, message.envelope.sender, message.size, message.recipientCount);
    this.#take(message, recipients);
  }

  /** How many more messages may come in. */
  get room(): number {
    if (this.#stopped) return 0;
    return Math.max(0, this.limits.messages - this.messages.size - this.reserved);
  }

  /** How many recipients the first page of a message may have. */
  get page(): number {
    return this.#pageBeside(0);
  }

  /** How many recipients may be read beside those that are held of a message. */
  #pageBeside(held: number): number {
    const { recipients, recipientMinimum } = this.limits;
    const free = Math.min(MAX_PAGE - held, recipients - this.#held);
    return Math.max(1, recipientMinimum - held, free);
  }

  /** Something may be deliverable now: the main loop has a turn when this one is over. */
  changed(): void {
    if (this.#turning || this.#stopped) return;
    this.#turning = true;
    queueMicrotask(() => this.#turn());
  }

  /** The main loop: hands out whatever may be delivered now. */
  #turn(): void {
    this.#turning = false;
    if (this.#stopped) return;
    const now = this.parts.steady();
    for (;;) {
      const entry = this.scheduler.next(now);
      if (!entry) break;
      this.#deliver(entry, now);
    }
    const { wakeAt } = this.scheduler;
    clearTimeout(this.#wake);
    this.#wake = wakeAt
      ? setTimeout(() => this.changed(), timerMs((wakeAt - now) / 1000))
      : undefined;
  }

  /** Stops handing out; resolves when no delivery runs, or after so many milliseconds. */
  async stop(milliseconds: number): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#wake);
    for (const timer of this.#retries) clearTimeout(timer);
    if (this.#running === 0) return;
    clearTimeout(this.#giveUp);
    this.#giveUp = setTimeout(this.#ended.resolve, milliseconds);
    await this.#ended.promise;
    clearTimeout(this.#giveUp);
  }

  /** Takes a message out of the schedule, to be dealt with when its running deliveries have ended; false when it is too late. */
  judge(message: ActiveMessage, disposition: Disposition): boolean {
    if (message.decided) return false;
    // What an operator wants done is done, though the record is damaged.
    if (disposition === "corrupt") message.disposition ??= disposition;
    else message.disposition = disposition;
    if (message.completing) return true;
    message.begin();
    const withdrawn = this.scheduler.withdraw(message).length;
    if (withdrawn || message.unread) message.deferred = true;
    message.end(withdrawn);
    this.#conclude(message, []);
    return true;
  }

  /** Recipients that were withheld are delivered from here after all; those that are not withheld any more are left alone. */
  release(message: ActiveMessage, numbers: readonly number[]): void {
    if (this.#stopped) return;
    const recipients: NumberedRecipient[] = [];
    for (const n of numbers) {
      const recipient = message.takeBack(n);
      if (recipient) recipients.push(recipient);
    }
    if (recipients.length) this.#route(message, recipients);
  }

  /** Outcomes that an agent reports which had lost us, or a former qmgr, for recipients that no other agent has. */
  async report(message: ActiveMessage, outcomes: readonly Outcome[]): Promise<void> {
    const { queueId } = message;
    // Its end is being written: the store still takes what is better than a deferral.
    if (message.completing) return void await this.parts.committer.change({ queueId, outcomes });
    message.begin();
    const { nextRecipient, recipientCount } = message;
    const unread = outcomes.filter(({ n }) => n >= nextRecipient && n < recipientCount);
    if (unread.length) {
      // What is read later passes them by; what was read before this is durable is taken out below.
      await this.#record(message, unread);
      message.note(unread.filter(({ status }) => status !== "deferred"));
      // Whether somebody wanted to hear of those is looked up when the message is complete.
      message.wantsSuccess ||= message.delivered;
    }
    const accepted: Outcome[] = [], late: Outcome[] = [];
    for (const outcome of outcomes) {
      // Another agent has it, whose word counts.
      if (message.isRunning(outcome.n)) continue;
      if (this.#takeOut(message, outcome.n)) accepted.push(outcome);
      // It was deferred meanwhile.
      else if (outcome.n < nextRecipient && outcome.status !== "deferred") late.push(outcome);
    }
    if (late.length) {
      await this.#record(message, late);
      message.note(late);
    }
    await this.#conclude(message, accepted);
  }

  /** Takes a recipient out of the schedule; false when it is not there. */
  #takeOut(message: ActiveMessage, n: number): boolean {
    const entryIsEmpty = this.scheduler.withdrawRecipient(message, n);
    if (entryIsEmpty) message.end();
    return message.takeBack(n) !== undefined || entryIsEmpty !== undefined;
  }

  #take(message: ActiveMessage, recipients: readonly NumberedRecipient[]): void {
    this.#hold(message, recipients.length);
    message.lowWater = message.held >> 1;
    this.#route(message, recipients);
  }

  #hold(message: ActiveMessage, recipients: number): void {
    message.held += recipients;
    this.#held += recipients;
  }

  /** Sorts recipients by destination and puts them into the schedule; those that need no agent are done with. */
  async #route(message: ActiveMessage, recipients: readonly NumberedRecipient[]): Promise<void> {
    message.begin();
    const { router, claims } = this.parts;
    const routes: Route[] = [];
    let isAsked = false;
    for (const { address, notify } of recipients) {
      if (notify.includes("SUCCESS")) message.wantsSuccess = true;
      let route = router.route(message.envelope.sender, address);
      if (route instanceof Promise) {
        // What is reported or claimed while rewrite is asked does not go on from here.
        if (!isAsked) { for (const each of recipients) message.withhold(each); }
        isAsked = true;
        route = await route;
      }
      routes.push(route);
    }
    const groups: Groups = new Map();
    const outcomes: Outcome[] = [];
    for (const [i, recipient] of recipients.entries()) {
      if (isAsked && !message.takeBack(recipient.n)) continue;
      if (claims.withhold(message, recipient)) continue;
      const route = routes[i]!;
      const known = route.recipient === recipient.address;
      const resolved = known ? recipient : { ...recipient, address: route.recipient };
      if ("transport" in route) group(groups, route, resolved);
      else {
        const { recipient: _, agent, ...decided } = route;
        const outcome = { n: recipient.n, ...decided, remoteMta: "", diagnostic: "" };
        outcomes.push(ownOutcome(message, resolved, outcome, agent, this.parts.now()));
      }
    }
    if (!message.disposition) this.#enqueue(message, groups);
    else if (groups.size) message.deferred = true;
    await this.#conclude(message, outcomes);
  }

  #enqueue(message: ActiveMessage, groups: Groups): void {
    const now = this.parts.steady();
    for (const [transport, destinations] of groups) {
      const { waiting, suspended } = this.scheduler.enqueue(
        transport,
        message,
        [...destinations.values()],
        now,
      );
      message.begin(waiting + suspended.length);
      this.#suspend(suspended);
    }
    this.changed();
  }

  /** One entry's way: to the agent, its lesson to the scheduler, its outcomes to the disk, and the agent is told. */
  async #deliver(entry: Entry<ActiveMessage>, now: number): Promise<void> {
    const { message } = entry;
    deliveries.add();
    this.#running++;
    message.running.push(entry);
    const attempt = await this.parts.agents.deliver(entry, this.scheduler.keep(entry, now));
    stopAt?.("outcome.received");
    message.running.splice(message.running.indexOf(entry), 1);
    const again = this.#triesAgain(entry, attempt);
    const made = again ? [] : attempt.outcomes;
    const outcomes = attempt.unlogged ? ownOutcomes(entry, made, this.parts.now()) : made;
    this.#suspend(this.#learn(entry, again ? "local" : attempt.lesson));
    this.changed();
    if (attempt.damaged) this.judge(message, "corrupt");
    await this.#conclude(message, outcomes);
    attempt.settle();
    if (--this.#running === 0 && this.#stopped) this.#ended.resolve();
  }

  /**
   * True for recipients of whom nobody knows what became, and who are not done with for that: they are tried again after a rest,
   * a few times. Of what ends with us nothing is said at all: as after a kill it is for the agent's report, or the next qmgr.
   */
  #triesAgain(entry: Entry<ActiveMessage>, { lost, unlogged }: Attempt): boolean {
    const { message, recipients } = entry;
    if (lost && !this.#stopped) warning(`transport ${entry.destination.transport}: ${lost}`);
    const isSoon = lost && message.countLoss(this.parts.steady(), this.retryMs) <= MAX_RETRIES;
    if (message.disposition || !(this.#stopped ? unlogged : isSoon)) return false;
    for (const recipient of recipients) message.withhold(recipient);
    if (this.#stopped) return true;
    const timer = setTimeout(() => {
      this.#retries.delete(timer);
      this.release(message, recipients.map(({ n }) => n));
    }, this.retryMs);
    this.#retries.add(timer);
    return true;
  }

  #learn(entry: Entry<ActiveMessage>, lesson: Attempt["lesson"]): Suspended<ActiveMessage>[] {
    const now = this.parts.steady();
    if (lesson === "unreachable") {
      const { transport } = entry.destination;
      warning(
        `transport ${transport} failure -- see a previous warning/fatal/panic logfile record ` +
          "for the problem description",
      );
      return this.scheduler.unreachable(entry, now);
    }
    if (lesson === "local") {
      this.scheduler.released(entry, now);
      return [];
    }
    return this.scheduler.finished(entry, lesson.site, now);
  }

  /** Entries of a dead destination or transport: deferred without any attempt. */
  #suspend(suspended: readonly Suspended<ActiveMessage>[]): void {
    for (const { entry, problem } of suspended) {
      const outcomes = entry.recipients.map(({ n }) => deferral(n, problem.dsn, problem.text));
      this.#conclude(entry.message, ownOutcomes(entry, outcomes, this.parts.now()));
    }
  }

  /** One pending part of a message has ended: its outcomes become durable, and with the last part the message is complete. */
  async #conclude(message: ActiveMessage, outcomes: readonly Outcome[]): Promise<void> {
    message.note(outcomes);
    this.#hold(message, -outcomes.length);
    if (message.unread && this.#readsOn(message)) return await this.#readOn(message, outcomes);
    if (!message.end()) {
      if (outcomes.length) await this.#record(message, outcomes);
      return;
    }
    message.completing = true;
    await this.parts.completer.complete(message, outcomes);
    this.#forget(message);
  }

  /** Makes outcomes durable; a message that cannot remember them is not delivered any further. */
  async #record(message: ActiveMessage, outcomes: readonly Outcome[]): Promise<void> {
    const { queueId } = message;
    const failure = await this.parts.committer.change({ queueId, outcomes });
    if (failure) this.judge(message, "corrupt");
  }

  /**
   * True when the next recipients are to be read: before the last ones in memory are done, so that one slow recipient does not
   * hold up all that come after it, and not one by one where memory is short.
   */
  #readsOn(message: ActiveMessage): boolean {
    const { reading, disposition, held, lowWater, pending } = message;
    if (reading || disposition) return false;
    if (pending === 1) return true;
    const least = this.limits.recipientMinimum / 2;
    return !this.#stopped && held <= lowWater && this.#pageBeside(held) >= least;
  }

  /** In the place of a part that has ended: its outcomes become durable, and then the next recipients are read. */
  async #readOn(message: ActiveMessage, outcomes: readonly Outcome[]): Promise<void> {
    const { queueId } = message;
    message.reading = true;
    if (outcomes.length) await this.#record(message, outcomes);
    try {
      const { nextRecipient } = message;
      const page = this.#pageBeside(message.held);
      const stored = await this.parts.store.recipients(queueId, OPEN, nextRecipient, page);
      message.nextRecipient = stored.length < page ? message.recipientCount : stored.at(-1)!.n + 1;
      this.#take(message, stored.map((each) => numbered(each, each.n)));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      warning(`${queueId}: read recipients: ${reason(error)}`);
      message.nextRecipient = message.recipientCount;
      message.deferred = true;
      if (error instanceof DamagedRecord) this.judge(message, "corrupt");
    }
    message.reading = false;
    await this.#conclude(message, []);
  }

  #forget(message: ActiveMessage): void {
    this.#held -= message.held;
    this.contentBytes -= message.content?.length ?? 0;
    this.messages.delete(message.queueId);
    message.leave();
    this.onRoom(message);
  }
}
