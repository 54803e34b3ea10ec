/** qmgr put together from its parts, apart from the process it runs in: tests give it other clients and another clock. */

import type { Answerer } from "../../shared/ipc/server.ts";
import type { QueueStore } from "../../shared/queue/store.ts";
import { timerMs } from "../../shared/timer.ts";
import { ActiveQueue } from "./active_queue.ts";
import { Agents, type DeliveryClient } from "./agents.ts";
import { Claims } from "./claims.ts";
import { Clock } from "./clock.ts";
import { Committer } from "./committer.ts";
import { Completer } from "./complete.ts";
import { Feeder } from "./feed.ts";
import { Flusher } from "./flush.ts";
import { FreeSpace } from "./free_space.ts";
import { InFlow } from "./in_flow.ts";
import { Intake } from "./intake.ts";
import { keepTime, lastSeen } from "./last_seen.ts";
import { Mutex } from "./mutex.ts";
import { answerQueue } from "./operator_commands.ts";
import { answerOutcomes } from "./outcomes.ts";
import { type BounceClient, Reports } from "./reports.ts";
import { type Resolver, Router } from "./router.ts";
import { Seals } from "./seals.ts";
import {
  activeLimits,
  intakeLimits,
  type Params,
  retrySettings,
  routerSettings,
  schedulerSettings,
  spaceLimits,
} from "./settings.ts";

/** Agents that outlived the former qmgr have so long to say what they are still delivering. */
export const GRACE_MS = 1000;
/** What running deliveries have when nobody says how long a stop may take. */
const DRAIN_MS = 8000;

/** What qmgr needs of the world. */
export interface World {
  readonly store: QueueStore;
  /** Where the store is: for the key of seals, and the time of the last run. */
  readonly directory: string;
  readonly resolver: Resolver;
  readonly bounce: BounceClient;
  clientOf(transport: string): DeliveryClient;
  /** The time of day; for waits, a time that nobody can set. */
  readonly now: () => number;
  readonly steady: () => number;
  readonly graceMs: number;
}

export class Qmgr {
  readonly answers: readonly Answerer[];
  readonly activeQueue: ActiveQueue;
  readonly feeder: Feeder;
  /** Running deliveries have so long to end when qmgr does. */
  drainMs = DRAIN_MS;
  #draining = false;
  #completer: Completer;
  #reports: Reports;
  #router: Router;
  #intake: Intake;
  readonly flusher: Flusher;
  #space: FreeSpace;
  #inFlow: InFlow;
  #claims: Claims;
  #clock: Clock;
  #timers: ReturnType<typeof setTimeout>[] = [];
  #runTimer: ReturnType<typeof setInterval> | undefined;

  constructor(readonly world: World, params: Params) {
    const { store, now, steady } = world;
    const clock = this.#clock = new Clock(now, steady, lastSeen(world.directory));
    const committer = new Committer(store);
    const mutex = new Mutex();
    this.#router = new Router(world.resolver, routerSettings(params));
    const seals = Seals.open(world.directory);
    this.#reports = new Reports(world.bounce, store, seals, params);
    this.#completer = new Completer(store, committer, this.#reports, clock, retrySettings(params));
    this.#claims = new Claims((queueId, n) => {
      const message = this.activeQueue.messages.get(queueId);
      if (message) this.activeQueue.release(message, [n]);
    });
    this.activeQueue = new ActiveQueue(
      {
        store,
        committer,
        router: this.#router,
        agents: new Agents((transport) => world.clientOf(transport), store, seals),
        completer: this.#completer,
        claims: this.#claims,
        now,
        steady,
      },
      schedulerSettings(params),
      activeLimits(params),
    );
    this.#inFlow = new InFlow(params.inFlowDelay * 1000);
    this.feeder = new Feeder(store, committer, this.activeQueue, mutex, this.#inFlow, now);
    this.feeder.longestPause.incoming = world.graceMs;
    this.feeder.longestPause.deferred = params.maximalBackoffTime * 1000;
    this.flusher = new Flusher(this.activeQueue, store, this.feeder, mutex);
    this.#space = new FreeSpace(store, steady, spaceLimits(params));
    this.#intake = new Intake(
      store,
      committer,
      this.activeQueue,
      this.#space,
      this.#inFlow,
      () => this.feeder.takesNew,
      () => this.feeder.want("incoming"),
      now,
      intakeLimits(params),
    );
    this.answers = [
      this.#intake.answerer,
      this.#intake.bodies.answerer,
      answerOutcomes(this.activeQueue, store, committer, this.#claims, seals, mutex),
      answerQueue(this.activeQueue, store, this.feeder, mutex),
      this.flusher.answerer,
    ];
    this.#setRunDelay(params);
  }

  /** Takes up what is in the queue: what a former qmgr was delivering only after a grace. */
  async start(): Promise<void> {
    const { store, now, graceMs } = this.world;
    this.#keepTime();
    await store.recover(now() + graceMs);
    this.feeder.want("incoming");
    this.feeder.want("deferred");
    this.#timers.push(setTimeout(() => this.feeder.want("incoming"), graceMs + 1));
  }

  /** Takes new parameters in place. */
  reload(params: Params): void {
    this.activeQueue.scheduler.configure(schedulerSettings(params), this.world.steady());
    this.activeQueue.limits = activeLimits(params);
    this.#router.settings = routerSettings(params);
    this.#reports.notifier = params;
    this.#completer.settings = retrySettings(params);
    this.#space.limits = spaceLimits(params);
    this.#inFlow.delayMs = params.inFlowDelay * 1000;
    this.#intake.allow(intakeLimits(params));
    this.feeder.longestPause.deferred = params.maximalBackoffTime * 1000;
    this.#setRunDelay(params);
    // As with a new process: what was found wrong may be what has been mended.
    this.activeQueue.scheduler.revive();
    this.feeder.want("incoming");
    this.activeQueue.changed();
  }

  /** Hands out no more, and waits a while for what runs; the rest stays in the queue. */
  async drain(): Promise<void> {
    clearInterval(this.#runTimer);
    for (const timer of this.#timers) clearTimeout(timer);
    this.feeder.stop();
    this.flusher.stop();
    this.#inFlow.end();
    this.#draining = true;
    await this.activeQueue.stop(this.drainMs);
    this.#claims.end();
    await this.world.store.close();
  }

  /** The system ends: running deliveries have `ms` from now, whether drain() waits for them already or will. */
  stop(ms: number): void {
    this.drainMs = ms;
    if (this.#draining) this.activeQueue.stop(ms);
  }

  /** Looks for mail that is due, as every queue_run_delay. */
  scan(): void {
    this.#keepTime();
    this.#space.look();
    this.feeder.want("incoming");
    this.feeder.want("deferred");
  }

  /** While the clock is in doubt the next qmgr has to know that, too. */
  #keepTime(): void {
    this.#clock.observe();
    if (!this.#clock.inDoubt) keepTime(this.world.directory, this.world.now());
  }

  #setRunDelay(params: Params): void {
    clearInterval(this.#runTimer);
    this.#runTimer = setInterval(() => this.scan(), timerMs(params.queueRunDelay));
  }
}
