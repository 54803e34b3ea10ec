/** Tells a restarted qmgr what its predecessor missed: who is still being delivered, and what became of the rest. */

import { reason } from "../errors.ts";
import type { Client } from "../ipc/client.ts";
import { CallError } from "../ipc/failure.ts";
import { warning } from "../log/log.ts";
import type { Outcome } from "../mail/envelope.ts";
import type { Handed } from "../protocols/delivery.ts";
import type { outcomesService } from "../protocols/queue.ts";
import { sleep } from "../timer.ts";

/** One delivery request whose outcomes no qmgr has made durable yet. */
export interface Unsettled {
  readonly handed: Handed;
  /** Undefined while the delivery runs; empty when it was broken off and nothing became of anybody. */
  outcomes: readonly Outcome[] | undefined;
  /** The qmgr of now knows that we have these recipients. */
  told: boolean;
}

/** The first pause; by then a delivery that lost its content has ended by itself. */
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 5000;
/** Reports under way at a time: qmgr makes durable together what comes together. */
const REPORTS_AT_ONCE = 100;
/** Kept deliveries beyond this, while qmgr is away, would fill memory: the oldest are dropped and delivered twice. */
const MAX_KEPT = 20_000;

export class Reporter {
  #kept = new Set<Unsettled>();
  #running = false;
  /** A conversation broke, or a report failed: pause before the next round. */
  #lost = false;
  /** There is more to say than when the round began. */
  #more = false;
  #wake: (() => void) | undefined;
  #emptied: (() => void)[] = [];

  constructor(
    readonly client: Client<typeof outcomesService.calls>,
    readonly limits = { firstPauseMs: FIRST_PAUSE_MS, maxPauseMs: MAX_PAUSE_MS, kept: MAX_KEPT },
  ) {}

  get size(): number {
    return this.#kept.size;
  }

  /** qmgr went away before it settled this. */
  add(unsettled: Unsettled): void {
    if (unsettled.outcomes?.length === 0) return;
    if (this.#kept.size >= this.limits.kept) this.#dropOldest();
    this.#kept.add(unsettled);
    this.#hasMore();
    if (!this.#running) this.#run();
  }

  /** A delivery ended; it matters here only if its qmgr is gone. */
  finished(unsettled: Unsettled): void {
    if (!this.#kept.has(unsettled)) return;
    if (!unsettled.outcomes?.length && !unsettled.told) this.#kept.delete(unsettled);
    this.#hasMore();
  }

  /** Resolves when nothing is kept, or after so many milliseconds. */
  async drain(milliseconds: number): Promise<void> {
    if (this.#kept.size === 0) return;
    let timer;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
      this.#emptied.push(resolve);
    });
    clearTimeout(timer);
    if (this.#kept.size) warning(`outcomes of ${this.#kept.size} deliveries could not be reported`);
  }

  /** One loop for all that is kept: rounds with growing pauses while qmgr is away. */
  async #run(): Promise<void> {
    this.#running = true;
    let pause = this.limits.firstPauseMs;
    await sleep(pause);
    while (this.#kept.size) {
      this.#lost = this.#more = false;
      await this.#round();
      if (this.#kept.size === 0) break;
      if (!this.#lost && !this.#more) await this.#sleepUntilWoken(this.limits.maxPauseMs);
      if (this.#lost) await sleep(pause);
      pause = this.#lost ? Math.min(pause * 2, this.limits.maxPauseMs) : this.limits.firstPauseMs;
    }
    this.#running = false;
    // Ends the `working` conversations: nothing of the former qmgr is left here.
    this.client.close();
    for (const resolve of this.#emptied.splice(0)) resolve();
  }

  /** Says all there is to say. First of all whose recipients these are: qmgr waits for that only so long. */
  async #round(): Promise<void> {
    for (const each of this.#kept) if (!each.told) this.#tell(each);
    const all = this.#kept.values();
    let isAway = false;
    const reportSome = async () => {
      for (const each of all) {
        if (isAway) return;
        if (each.outcomes && await this.#report(each, each.outcomes)) isAway = true;
      }
    };
    await Promise.all(Array.from({ length: REPORTS_AT_ONCE }, reportSome));
  }

  /**
   * Opens the conversation that keeps these recipients out of qmgr's schedule. However it ends, also as a qmgr that is replaced
   * ends it: while there is no outcome the next qmgr has to hear of them, too.
   */
  #tell(each: Unsettled): void {
    each.told = true;
    this.client.call("working", each.handed).catch(() => {}).finally(() => {
      if (!this.#kept.has(each)) return;
      each.told = false;
      this.#lost = true;
      this.#wake?.();
    });
  }

  /** What fails is said again in the next round. True when qmgr cannot be reached: nothing else needs to be tried then. */
  async #report(each: Unsettled, outcomes: readonly Outcome[]): Promise<boolean> {
    const { handed } = each;
    try {
      await this.client.call("report", { handed, outcomes: [...outcomes] });
    } catch (error) {
      const code = error instanceof CallError ? error.code : undefined;
      if (code !== "refused") {
        this.#lost = true;
        return code === "unavailable";
      }
      warning(`${handed.queueId}: outcome not accepted: ${reason(error)}`);
    }
    this.#kept.delete(each);
    return false;
  }

  #hasMore(): void {
    this.#more = true;
    this.#wake?.();
  }

  #dropOldest(): void {
    for (const each of this.#kept) {
      if (!each.outcomes) continue;
      this.#kept.delete(each);
      return warning(
        `${each.handed.queueId}: outcome dropped: more than ${this.limits.kept} wait for qmgr`,
      );
    }
  }

  #sleepUntilWoken(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, milliseconds);
      function done() {
        clearTimeout(timer);
        resolve();
      }
      this.#wake = done;
    });
  }
}
