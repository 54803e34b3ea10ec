/**
 * From the store into the active queue: due messages of incoming and deferred in turn, a page at a time, as long as there
 * is room. So retries never starve new mail, nor new mail retries (reference 2.1).
 */

import { reason, StorageError } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import {
  DamagedRecord,
  OPEN,
  type QueuedMessage,
  type QueueStore,
} from "../../shared/queue/store.ts";
import { ActiveMessage, numbered } from "./active_message.ts";
import type { ActiveQueue } from "./active_queue.ts";
import type { Change } from "./change.ts";
import type { Committer } from "./committer.ts";
import type { InFlow } from "./in_flow.ts";
import type { Mutex } from "./mutex.ts";
import { setApart } from "./set_apart.ts";

/** Messages that are read at a time. */
const PAGE = 50;
/** After trouble with the store, the next look comes so much later. */
const TROUBLE_MS = 10_000;

type Source = "incoming" | "deferred";

/** One pass over the due messages of a queue. */
interface Scan {
  wanted: boolean;
  /** Asked for again while it runs: it starts anew when it has ended. */
  again: boolean;
  /** After the last page; undefined at the beginning. */
  position: unknown;
  /** Something that is due could not be read, or not become active. */
  trouble: boolean;
  /** After trouble it goes on, or starts anew, without being asked. */
  timer: ReturnType<typeof setTimeout> | undefined;
}

function newScan(): Scan {
  return { wanted: false, again: false, position: undefined, trouble: false, timer: undefined };
}

export class Feeder {
  /** Milliseconds. */
  troubleMs = TROUBLE_MS;
  #scans: Record<Source, Scan> = { incoming: newScan(), deferred: newScan() };
  /** Nothing that waits rightly waits longer, milliseconds. */
  readonly longestPause: Record<Source, number> = { incoming: Infinity, deferred: Infinity };
  /** Messages that are due again while what took them out of the active queue is being synced: they are looked for then. */
  #leaving = new Map<string, Source>();
  #turn: Source = "deferred";
  #running = false;
  #stopped = false;

  constructor(
    readonly store: QueueStore,
    readonly committer: Committer,
    readonly activeQueue: ActiveQueue,
    readonly mutex: Mutex,
    readonly inFlow: InFlow,
    readonly now: () => number,
  ) {
    activeQueue.onRoom = (left) => {
      const { queueId, disposition } = left;
      const again = disposition === "requeue" ? "incoming" : this.#leaving.get(queueId);
      this.#leaving.delete(queueId);
      if (again) this.want(again);
      else if (!this.#running && this.#backlog) this.#run();
    };
  }

  /** True when new mail may become active at once: not past mail that waits while the active queue is nearly full. */
  get takesNew(): boolean {
    const { room } = this.activeQueue;
    return room > 0 && (room > this.#step || !this.#backlog);
  }

  /** Looks through a queue for due mail, from its beginning. */
  want(source: Source): void {
    const scan = this.#scans[source];
    if (scan.wanted || scan.position !== undefined) scan.again = true;
    scan.wanted = true;
    if (!this.#running) this.#run();
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of Object.values(this.#scans)) clearTimeout(timer);
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      const source = this.#next();
      if (!source || this.#stopped) break;
      try {
        await this.mutex.run(() => this.#load(source));
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        this.#note(source, reason(error));
        this.#rest(source);
      }
    }
    this.#running = false;
  }

  /** Says once in a pass that there is trouble. */
  #note(source: Source, what: string): void {
    const scan = this.#scans[source];
    if (!scan.trouble) warning(`scan ${source}: ${what}`);
    scan.trouble = true;
  }

  /** Goes on later from where the pass is now: once, however often there is trouble meanwhile. */
  #rest(source: Source): void {
    this.#scans[source].wanted = false;
    this.#lookLater(source);
  }

  #lookLater(source: Source): void {
    if (this.#stopped) return;
    const scan = this.#scans[source];
    scan.timer ??= setTimeout(() => {
      scan.timer = undefined;
      this.want(source);
    }, this.troubleMs);
  }

  /** The queue whose turn it is; undefined when there is no room or nothing to look for. */
  #next(): Source | undefined {
    if (this.activeQueue.room < this.#step) return undefined;
    const other = this.#turn === "incoming" ? "deferred" : "incoming";
    if (this.#scans[other].wanted) return this.#turn = other;
    return this.#scans[this.#turn].wanted ? this.#turn : undefined;
  }

  /** Some queue has, or may have, mail that is due. */
  get #backlog(): boolean {
    return this.#scans.incoming.wanted || this.#scans.deferred.wanted;
  }

  /** Room for so many is waited for: a page at a time costs less, and new mail cannot take every place that comes free. */
  get #step(): number {
    return Math.min(PAGE, Math.ceil(this.activeQueue.limits.messages / 10));
  }

  async #load(source: Source): Promise<void> {
    const scan = this.#scans[source];
    const limit = Math.min(PAGE, this.activeQueue.room);
    if (limit === 0) return;
    const now = this.now();
    if (scan.position === undefined) {
      scan.again = scan.trouble = false;
      await this.#prepare(source, now);
    }
    const page = await this.store.due(source, now, limit, scan.position);
    scan.position = page.next;
    if (page.next === undefined) {
      scan.wanted = scan.again;
      scan.again = false;
    }
    const due = page.messages.filter(({ envelope: { queueId } }) => {
      const leaving = this.activeQueue.messages.has(queueId);
      if (leaving) this.#leaving.set(queueId, source);
      return !leaving;
    });
    const failures = await this.#activate(source, due);
    const stuck = failures.findIndex((failure) => isTrouble(failure));
    if (stuck >= 0) {
      this.#note(source, `${due[stuck]!.envelope.queueId}: ${failures[stuck]!.message}`);
    }
    if (source === "incoming" && page.next === undefined && !scan.wanted) this.inFlow.empty();
    // What could not become active must not hold up what is due behind it, but the disk is not asked again for each page.
    const ended = scan.position === undefined;
    const hopeless = stuck >= 0 && failures.every(isTrouble);
    if (ended ? scan.trouble && !scan.wanted : hopeless) this.#rest(source);
  }

  /** What is to be done before a pass; where it cannot be, that holds up no mail. */
  async #prepare(source: Source, now: number): Promise<void> {
    const failed = (error: unknown) => {
      if (!(error instanceof StorageError)) throw error;
      warning(`scan ${source}: ${error.message}`);
    };
    if (source === "deferred") await this.store.forget(now).catch(failed);
    // A clock that was ahead has put these off until then.
    await this.store.hasten(source, now, now + this.longestPause[source]).catch(failed);
  }

  /** Takes messages in; answers for each why it could not become active, if so. */
  async #activate(
    source: Source,
    due: readonly QueuedMessage[],
  ): Promise<(StorageError | undefined)[]> {
    const failures = await Promise.all(
      due.map(({ envelope: { queueId }, nextTry }) =>
        this.committer.changeOnce({ queueId, move: { queue: "active", nextTry } })
      ),
    );
    for (const [i, message] of due.entries()) {
      await (failures[i] ? this.#giveBack(source, message) : this.#admit(message));
      if (!failures[i] && source === "incoming") this.inFlow.moved();
    }
    return failures;
  }

  /** A move that could not be synced may stand all the same: its message would be active on the disk, and nowhere else. */
  async #giveBack(queue: Source, { envelope: { queueId }, nextTry }: QueuedMessage): Promise<void> {
    const stored = await this.store.find(queueId).catch((error) => {
      if (!(error instanceof StorageError)) throw error;
    });
    if (stored && stored.queue !== "active") return;
    this.#putBack(queueId, { queue, nextTry }).then(() => this.#lookLater(queue));
  }

  async #admit(stored: QueuedMessage): Promise<void> {
    const { envelope, size, recipientCount, warned, traced } = stored;
    const { queueId } = envelope;
    try {
      // It was read before a sync failed, for which its sender has heard 4xx.
      if (!await this.store.find(queueId)) return;
      const tally = await this.store.tally(queueId);
      const page = this.activeQueue.page;
      const open = await this.store.recipients(queueId, OPEN, 0, page);
      const message = new ActiveMessage(
        envelope,
        size,
        recipientCount,
        this.now(),
        warned,
        undefined,
      );
      message.nextRecipient = open.length < page ? recipientCount : open.at(-1)!.n + 1;
      message.traced = traced;
      message.failed = tally.bounced > 0;
      // Whether somebody wanted to hear of those is looked up when the message is complete.
      message.delivered = message.wantsSuccess = tally.sent > 0;
      this.activeQueue.admit(message, open.map((each) => numbered(each, each.n)));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      warning(`${queueId}: ${reason(error)}`);
      if (error instanceof DamagedRecord) setApart(this.committer, queueId);
      else this.#putBack(queueId, { queue: "deferred", nextTry: this.now() + this.troubleMs });
    }
  }

  /** A message is active only on the disk. Not to be waited for: others would wait for this message's part of it. */
  async #putBack(queueId: string, move: NonNullable<Change["move"]>): Promise<void> {
    if (await this.committer.change({ queueId, move })) await setApart(this.committer, queueId);
  }
}

/** True for what may go by: what is damaged stays where it is. */
function isTrouble(failure: StorageError | undefined): boolean {
  return failure !== undefined && !(failure instanceof DamagedRecord);
}
