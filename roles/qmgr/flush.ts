/**
 * flush: mail is tried now because somebody asked. Any local user may ask, as often as he likes, so requests that come
 * close together are one run, and between two runs is a rest: flushing takes no more than a fifth of qmgr's time.
 */

import { StorageError } from "../../shared/errors.ts";
import { answer, type Answerer, ANY_USER } from "../../shared/ipc/server.ts";
import { flushService } from "../../shared/protocols/queue.ts";
import type { QueueStore } from "../../shared/queue/store.ts";
import type { ActiveQueue } from "./active_queue.ts";
import type { Feeder } from "./feed.ts";
import type { Mutex } from "./mutex.ts";

/** The least rest between two runs, and the rest after a long run as a multiple of it. */
const REST_MS = 1000;
const RESTS_PER_RUN = 4;
/** Whoever names more than this for one run means everything. A site costs a look at all deferred mail, an id does not. */
const MAX_IDS = 1000;
const MAX_SITES = 10;
const STOPPED = "qmgr stops";

/** What the next run is about. */
class Wanted {
  all = false;
  ids = new Set<string>();
  sites = new Set<string>();

  add(id: string, site: string): void {
    if (id) this.ids.add(id);
    else if (site) this.sites.add(site.toLowerCase());
    else this.all = true;
    if (this.ids.size > MAX_IDS || this.sites.size > MAX_SITES) this.all = true;
  }
}

export class Flusher {
  /** The least rest. */
  restMs = REST_MS;
  readonly answerer: Answerer = answer(flushService, {
    flush: async ({ id, site }) => ({ count: await this.#ask(id, site) }),
  }, ANY_USER);
  #wanted = new Wanted();
  /** The run that takes more requests in; undefined when none waits. */
  #next: Promise<number> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** By performance.now(): a clock that is set back must not stop flushing. */
  #restUntil = 0;
  /** The run that rests, and how to end its rest. */
  #resting: {
    readonly timer: ReturnType<typeof setTimeout>;
    readonly reject: (error: Error) => void;
  } | undefined;

  constructor(
    readonly activeQueue: ActiveQueue,
    readonly store: QueueStore,
    readonly feeder: Feeder,
    readonly mutex: Mutex,
  ) {}

  /** No run begins any more: who waits for one is told so. */
  stop(): void {
    this.#restUntil = Infinity;
    clearTimeout(this.#resting?.timer);
    this.#resting?.reject(new StorageError(STOPPED));
  }

  /** Resolves when what was asked for has been done, to how many messages that run concerned. */
  #ask(id: string, site: string): Promise<number> {
    this.#wanted.add(id, site);
    if (this.#next) return this.#next;
    const next = this.#next = this.#last.then(() => this.#run());
    this.#last = next.catch(() => {});
    return next;
  }

  async #run(): Promise<number> {
    const rest = this.#restUntil - performance.now();
    if (rest === Infinity) throw new StorageError(STOPPED);
    if (rest > 0) {
      await new Promise<void>((resolve, reject) => {
        this.#resting = { timer: setTimeout(resolve, rest), reject };
      });
    }
    const wanted = this.#wanted;
    this.#wanted = new Wanted();
    this.#next = undefined;
    const started = performance.now();
    try {
      return await this.mutex.run(() => this.#retry(wanted));
    } finally {
      const ended = performance.now();
      const rest = Math.max(this.restMs, (ended - started) * RESTS_PER_RUN);
      this.#restUntil = Math.max(this.#restUntil, ended + rest);
    }
  }

  async #retry({ all, ids, sites }: Wanted): Promise<number> {
    this.activeQueue.scheduler.revive();
    let count = 0;
    try {
      if (all) return await this.store.retry("ALL");
      if (ids.size) count += await this.store.retry([...ids]);
      for (const site of sites) count += await this.store.retry("ALL", site);
      return count;
    } finally {
      this.feeder.want("incoming");
      this.activeQueue.changed();
    }
  }
}
