/**
 * Keeps one service of master.cf running: as many processes as wanted, new ones for dead ones after a pause, replaced
 * without a gap on reload.
 *
 *   idle -> starting -> running -> (dies) waiting -> starting ...     waiting becomes failed after MAX_FAILURES in a row
 */

import { reason } from "../../shared/errors.ts";
import { info, warning } from "../../shared/log/log.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { MAX_COUNTERS, type ServiceStatus } from "../../shared/protocols/control.ts";
import { sleep } from "../../shared/timer.ts";
import { Hearing } from "./hearing.ts";
import { type Handover, Member, type MemberEvents } from "./member.ts";
import type { ChildProcess } from "node:child_process";
import type { LaunchOptions } from "./launch.ts";
import type { OwnSockets } from "./own_sockets.ts";

/** What a keeper starts; made anew at each reload. */
export interface Plan {
  readonly service: string;
  readonly role: string;
  readonly count: number;
  /** Started by the first who wants it, and left idle again. */
  readonly onRequest: boolean;
  /** `service_throttle_time`, milliseconds. */
  readonly throttleMs: number;
  /**
   * There must be only one: it takes a new plan in place while this, which it was started with, stays the same, and is
   * ended before the next one starts when it does not. Undefined: each reload replaces it.
   */
  readonly fixed: string | undefined;
  /** True once a file that the service writes is another than when this was made; undefined where that cannot be. */
  readonly outdated: (() => boolean) | undefined;
  /** The services that it answers. */
  readonly answers: readonly string[];
  /** Connects to one of them and leaves. */
  knock(service: string): void;
  readonly handover: Handover;
  /** The sockets that the next process binds by itself; without it, they are handed over. */
  ownSockets?(): OwnSockets;
  launch(options: LaunchOptions): ChildProcess;
}

/** A service that died this often in a row before it was ready waits for `service_throttle_time`. */
export const MAX_FAILURES = 5;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 10_000;
/** A process that lived so long is no longer counted as dying at start. */
const SETTLED_MS = 10_000;
/** A want that came so shortly before an idle process left may have met a closing door. */
const LATE_WANT_MS = 5_000;
/** How long a replacement may take to become ready. */
const REPLACE_MS = 20_000;
/**
 * How long one that must have gone before may take to finish what is in hand: meanwhile nobody answers in its place, and
 * agents keep what qmgr has not heard for the next one.
 */
const FINISH_MS = 1_500;
/** How long the kernel may take to end a process that was killed. */
const KILLED_MS = 500;
/** Between two looks at processes that come or go. */
const LOOK_MS = 10;

export class Keeper {
  #members = new Set<Member>();
  #failures = 0;
  #restarts = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reason = "";
  #wantedAt = 0;
  #stopping = false;
  #onGone: (() => void) | undefined;
  /** The only process is being replaced: no other may start meanwhile, whoever wants it or died. */
  #replacing = false;
  /** Those that are to take over: what keeps one from it is told to who wants that, and is no death of the service. */
  #fresh: readonly Member[] = [];
  #waiters: (() => void)[] = [];
  #hearing = new Hearing((service) => this.plan.knock(service));

  /** `want` starts another service. */
  constructor(
    public plan: Plan,
    readonly want: (caller: Keeper, service: string) => void,
  ) {}

  get members(): ReadonlySet<Member> {
    return this.#members;
  }

  /** Starts what is missing; resolves when the service is ready or has failed for good. */
  start(): Promise<void> {
    this.#fill();
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#settle();
    });
  }

  /** Somebody is about to connect. */
  wanted(): void {
    this.#wantedAt = performance.now();
    if (!this.#timer) this.#fill();
  }

  /**
   * Puts a new plan in force: new processes are ready before the old ones drain, unless there must be only one. Rejects,
   * with the old ones or their like in service, when the new do not start.
   */
  async replace(plan: Plan): Promise<void> {
    const old = [...this.#members].filter((member) => member.state !== "draining");
    if (old.length === 0 || (plan.fixed !== undefined && plan.fixed === this.plan.fixed)) {
      this.plan = plan;
      const { parameters, sockets, onRequest, connections } = plan.handover.start;
      for (const member of old) member.reload({ parameters, sockets, onRequest, connections });
      if (!plan.onRequest) this.#fill();
      return;
    }
    const before = this.plan;
    const alone = plan.fixed !== undefined;
    try {
      this.#replacing = alone;
      if (alone) await this.#endAll();
      this.plan = plan;
      await this.#launchAll();
    } catch (error) {
      this.#replacing = false;
      this.plan = before;
      // The old one may have died meanwhile, when those that were to take over were enough.
      if (!this.#timer && (alone || !before.onRequest)) this.#fill();
      throw new Error(`${plan.service}: ${reason(error)}`);
    }
    this.#replacing = false;
    for (const member of old) member.drain();
  }

  async #endAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const members = [...this.#members];
    for (const member of members) member.drain(FINISH_MS);
    await this.#gone(members, FINISH_MS);
  }

  /** Starts as many as the plan wants. Throws why they cannot serve, when one of them cannot: then none of them is left. */
  async #launchAll(): Promise<void> {
    if (this.#stopping) throw new Error("the system stops");
    const fresh: Member[] = [];
    this.#fresh = fresh;
    try {
      while (fresh.length < this.plan.count) fresh.push(this.#launch());
      const failed = await this.#allReady(fresh);
      if (failed) throw new Error(failed);
    } catch (error) {
      await this.#gone(fresh, 0);
      throw error;
    } finally {
      this.#fresh = [];
    }
  }

  /** Waits so long until they have ended; then kills them. */
  async #gone(members: readonly Member[], ms: number): Promise<void> {
    const left = () => members.some((member) => member.state !== "gone");
    const end = performance.now() + ms;
    while (left() && performance.now() < end) await sleep(LOOK_MS);
    for (const member of members) member.kill();
    while (left() && performance.now() < end + KILLED_MS) await sleep(LOOK_MS);
  }

  /** Tells every process to finish; resolves when all are gone or after `ms`, when they are killed. */
  async stop(ms: number): Promise<void> {
    this.#startNoMore();
    for (const member of this.#members) member.drain(ms);
    await this.#gone([...this.#members], ms);
  }

  /** Tells every process to finish what is in hand, within an hour (`member.ts`); calls back when all are gone. */
  leave(gone: () => void): void {
    this.#startNoMore();
    for (const member of this.#members) member.drain();
    this.#onGone = gone;
    if (!this.#members.size) gone();
  }

  #startNoMore(): void {
    this.#stopping = true;
    for (const wake of this.#waiters.splice(0)) wake();
    clearTimeout(this.#timer);
  }

  beat(now: number): void {
    const deafTo = this.#hearing.deafTo(this.plan.answers, [...this.#members]);
    if (deafTo !== undefined) this.#endDeaf(deafTo);
    for (const member of this.#members) member.beat(now);
  }

  /** Another process takes the connections that wait. */
  #endDeaf(service: string): void {
    for (const member of this.#members) {
      if (member.state !== "ready") continue;
      warning(
        `process ${this.plan.role} pid ${member.pid} takes no connection to ${service}: killed`,
      );
      member.kill();
    }
  }

  status(): ServiceStatus {
    const members = [...this.#members];
    return {
      service: this.plan.service,
      role: this.plan.role,
      state: this.#state(members),
      pids: members.map((member) => member.pid),
      restarts: this.#restarts,
      // It may be what a role said of itself, and becomes one line.
      reason: withoutControls(this.#reason.slice(0, 500)),
      counters: sums(members.map((member) => member.counters)),
    };
  }

  #state(members: Member[]): ServiceStatus["state"] {
    if (this.#stopping) return "stopping";
    if (members.some((member) => member.state === "ready")) return "running";
    if (members.length) return "starting";
    if (this.#timer) return this.#failures >= MAX_FAILURES ? "failed" : "waiting";
    return "idle";
  }

  #fill(): void {
    if (this.#stopping || this.#replacing) return;
    const serving = [...this.#members].filter((member) => member.state !== "draining").length;
    try {
      for (let i = serving; i < this.plan.count; i++) this.#launch();
    } catch (error) {
      // A full disk, or what a role has left in its directory: the others go on.
      warning(`process ${this.plan.role}: cannot be started: ${reason(error)}`);
      this.#failed(reason(error));
    }
  }

  /** Starts one process. Throws what keeps it from being started. */
  #launch(): Member {
    const own = this.plan.ownSockets?.();
    const binds = own?.binds ?? [];
    const events: MemberEvents = {
      ready: (fresh) => {
        try {
          own?.listening();
        } catch (error) {
          // It takes its own socket away: that must not end us.
          warning(`process ${this.plan.role} pid ${fresh.pid}: ${reason(error)}: killed`);
          return fresh.kill();
        }
        this.#reason = "";
        this.#settle();
      },
      want: (service) => this.want(this, service),
      idle: (leaving) => leaving.drain(),
      exit: (gone, how) => this.#exited(gone, how),
    };
    const member = new Member(
      this.plan.launch({ binds }),
      { ...this.plan.handover, binds },
      events,
    );
    this.#members.add(member);
    return member;
  }

  #exited(member: Member, how: string): void {
    this.#members.delete(member);
    if (!this.#members.size) this.#onGone?.();
    if (this.#replacing || this.#stopping) return;
    const said = member.fatal?.text;
    const text = `process ${this.plan.role} pid ${member.pid} ${how}${said ? `: ${said}` : ""}`;
    if (how) warning(text);
    if (this.#fresh.includes(member)) return;
    if (performance.now() - member.startedAt > SETTLED_MS) this.#failures = 0;
    if (!how) return this.#leftInPeace();
    this.#failed(said ?? how);
  }

  /** Counts a process that ended, or that could not be started, and starts the next one after a pause. */
  #failed(why: string): void {
    const { service, role } = this.plan;
    this.#restarts++;
    this.#failures++;
    this.#reason = why;
    const throttled = this.#failures >= MAX_FAILURES;
    const pause = throttled
      ? this.plan.throttleMs
      : Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), MAX_PAUSE_MS);
    if (throttled) warning(`${service}: bad command startup -- throttling: ${this.#reason}`);
    this.#settle();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      info(`service ${service}: starting ${role} again`);
      this.#fill();
    }, pause);
  }

  /** A process left because it was idle, or because it was replaced. */
  #leftInPeace(): void {
    if (!this.plan.onRequest || performance.now() - this.#wantedAt < LATE_WANT_MS) this.#fill();
  }

  /** Wakes those who wait for the service to be up, or to have failed for good. */
  #settle(): void {
    const ready = [...this.#members].filter((member) => member.state === "ready").length;
    if (ready < this.plan.count && this.#failures < MAX_FAILURES) return;
    for (const wake of this.#waiters.splice(0)) wake();
  }

  async #allReady(fresh: Member[]): Promise<string | undefined> {
    const end = performance.now() + REPLACE_MS;
    for (;;) {
      const gone = fresh.find((member) => member.state === "gone");
      if (gone) return gone.fatal?.text ?? "it ended at start";
      if (fresh.every((member) => member.state === "ready")) return undefined;
      if (performance.now() > end) return "it was not ready in time";
      await sleep(LOOK_MS);
    }
  }
}

/**
 * The sum of each counter over all processes. Names are the roles': a Map, since `constructor` is one that objects have;
 * and no more of them than one process may have, since the processes of a service have the same.
 */
function sums(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total = new Map<string, number>();
  for (const [name, value] of all.flatMap((counters) => Object.entries(counters))) {
    if (total.size === MAX_COUNTERS && !total.has(name)) continue;
    total.set(name, Math.min((total.get(name) ?? 0) + value, Number.MAX_SAFE_INTEGER));
  }
  return Object.fromEntries(total);
}
