/** The running system: one keeper per service, started, watched, reloaded and stopped together. */

import { policyOf, type StopPhase } from "../../policies/mod.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { ConfigError, reason } from "../../shared/errors.ts";
import { inForce } from "../../shared/log/lines.ts";
import { info, warning } from "../../shared/log/log.ts";
import { seldom } from "../../shared/log/seldom.ts";
import type { ServiceStatus } from "../../shared/protocols/control.ts";
import { Keeper, type Plan } from "./keeper.ts";
import { inetEndpoints, planAgain, plansOf } from "./plans.ts";
import { prepareLog } from "./prepare.ts";
import { adopt, type System } from "./system.ts";

/** How often each role is asked for a sign of life. */
const BEAT_MS = 10_000;
/** How often it is seen whether the log is still where it was, and how soon again after that was of no use. */
const LOOK_MS = 1000;
const LOOK_AGAIN_MS = 10_000;
/** The phases of a stop in their order, and what each may take: together less than the 10 s of a SIGTERM. */
const STOP_MS: Readonly<Record<StopPhase, number>> = {
  intake: 4000,
  queue: 3500,
  rest: 1500,
  log: 500,
};

export class Supervisor {
  #keepers = new Map<string, Keeper>();
  /** Of services that a reload has removed: they finish what is in hand. */
  #leaving = new Set<Keeper>();
  #beat: ReturnType<typeof setInterval> | undefined;
  #look: ReturnType<typeof setTimeout> | undefined;
  #stopped: Promise<void> | undefined;
  /** Reloads, and what else changes plans: one after the other. */
  #changes: Promise<void> = Promise.resolve();
  #warn = seldom();

  constructor(public system: System) {}

  /** Starts every service that is not started on request; resolves when each is ready or has failed for good. */
  async start(): Promise<void> {
    for (const plan of plansOf(this.system)) this.#add(plan);
    this.#beat = setInterval(() => {
      for (const keeper of this.#all()) keeper.beat(performance.now());
    }, BEAT_MS);
    this.#lookIn(LOOK_MS);
    await Promise.all(
      [...this.#keepers.values()].filter((keeper) => !keeper.plan.onRequest).map((keeper) =>
        keeper.start()
      ),
    );
  }

  /** Services that could not be started, with the reason. */
  failed(): ServiceStatus[] {
    return this.status().filter((each) => each.state === "failed" || each.state === "waiting");
  }

  status(): ServiceStatus[] {
    return this.#all().map((keeper) => keeper.status());
  }

  /**
   * Puts a new configuration in force without refusing a connection, after the reloads that were asked for before. None
   * breaks, but that a client hears 451 who is in the middle of a long message when qmgr itself must be replaced. Rejects
   * with what is wrong.
   */
  reload(configuration: Configuration): Promise<void> {
    return this.#inTurn(() => this.#reload(configuration));
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#changes.then(change);
    this.#changes = done.catch(() => {});
    return done;
  }

  async #reload(configuration: Configuration): Promise<void> {
    if (this.#stopped) throw new ConfigError("the system stops");
    const next = adopt(this.system, configuration);
    let plans: Plan[];
    try {
      plans = plansOf(next);
      await this.#replaceAll(plans);
    } catch (error) {
      this.system.listeners.keepOnly(inetEndpoints(this.system));
      throw error;
    }
    this.system = next;
    await this.#dropOthers(plans);
    next.listeners.keepOnly(inetEndpoints(next));
    inForce("reload", configuration.value("mail_version"), configuration.directory);
  }

  /** Gives every service its new plan; when one of them cannot have it, all get their former ones back. */
  async #replaceAll(plans: readonly Plan[]): Promise<void> {
    const undo: (() => Promise<void>)[] = [];
    try {
      for (const plan of plans) {
        const keeper = this.#keepers.get(key(plan));
        if (keeper) {
          const former = keeper.plan;
          await keeper.replace(plan);
          undo.push(() => keeper.replace(former));
        } else {
          const added = this.#add(plan);
          undo.push(() => this.#drop(key(plan)));
          if (!plan.onRequest) await added.start();
        }
      }
    } catch (error) {
      for (const each of undo.reverse()) {
        await each().catch((error) => warning(`reload: ${reason(error)}`));
      }
      throw new ConfigError(`${reason(error)}: the former configuration stays in force`);
    }
  }

  /** Looks again and again for files that somebody has moved away. */
  #lookIn(ms: number): void {
    if (this.#stopped) return;
    this.#look = setTimeout(() => {
      this.#inTurn(() => this.#replaceOutdated()).then(
        () => LOOK_MS,
        (error) => {
          warning(reason(error));
          return LOOK_AGAIN_MS;
        },
      ).then((ms) => this.#lookIn(ms));
    }, ms);
  }

  /** Replaces who writes a log that is another file by now (logrotate). */
  async #replaceOutdated(): Promise<void> {
    if (this.#stopped) return;
    const outdated = [...this.#keepers.values()].filter(({ plan }) => plan.outdated?.());
    if (!outdated.length) return;
    prepareLog(this.system.configuration, this.system.host);
    for (const keeper of outdated) await keeper.replace(planAgain(keeper.plan, this.system));
    info("the log was moved away: this is the next one");
  }

  /** Ends the system in the order that the rows say. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    clearInterval(this.#beat);
    clearTimeout(this.#look);
    const phases = new Set<StopPhase>();
    let spare = 0;
    for (const [phase, share] of Object.entries(STOP_MS)) {
      const began = performance.now(), ms = share + spare;
      // Each phase ends what the former ones left, too: a reload may have added it since.
      phases.add(phase as StopPhase);
      const ending = this.#all().filter(({ plan }) => phases.has(policyOf(plan.role)!.stop));
      await Promise.all(ending.map((keeper) => keeper.stop(ms)));
      // A delivery that is under way may have what the intake did not need.
      spare = Math.max(0, ms - (performance.now() - began));
    }
    this.system.listeners.close();
  }

  #add(plan: Plan): Keeper {
    const keeper = new Keeper(plan, (caller, service) => this.#want(caller, service));
    this.#keepers.set(key(plan), keeper);
    return keeper;
  }

  /** A role asks for a service: it must be one that its row calls. */
  #want(caller: Keeper, service: string): void {
    if (!Object.hasOwn(caller.plan.handover.start.sockets, service)) {
      return this.#warn(`${caller.plan.role} asks for ${service}, which its policy does not allow`);
    }
    this.want(service);
  }

  /** Starts a service that is started on request. */
  want(service: string): void {
    for (const keeper of this.#keepers.values()) {
      if (keeper.plan.answers.includes(service)) return keeper.wanted();
    }
  }

  async #dropOthers(plans: readonly Plan[]): Promise<void> {
    const wanted = new Set(plans.map(key));
    for (const name of this.#keepers.keys()) if (!wanted.has(name)) await this.#drop(name);
  }

  async #drop(name: string): Promise<void> {
    const keeper = this.#keepers.get(name)!;
    this.#keepers.delete(name);
    // Of some there must be only one, also when the service comes back.
    if (keeper.plan.fixed !== undefined) return await keeper.stop(STOP_MS.rest);
    this.#leaving.add(keeper);
    keeper.leave(() => this.#leaving.delete(keeper));
  }

  #all(): Keeper[] {
    return [...this.#keepers.values(), ...this.#leaving];
  }
}

/** What tells services apart: `smtp inet` and `smtp unix` are two. */
function key(plan: Plan): string {
  return `${plan.service} ${policyOf(plan.role)?.inet ? "inet" : "unix"}`;
}
