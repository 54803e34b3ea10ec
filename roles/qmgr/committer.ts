/**
 * Group commit: what comes in during one turn of the event loop, new mail and outcomes alike, becomes durable together.
 * While a commit runs the next batch collects by itself; there is no timer.
 *
 * What cannot be made durable must not hold up the rest. A batch that fails is taken apart: where something of it can be
 * made, what cannot is set aside, and tried again without anything new. Where nothing can, it is the disk: new mail is refused
 * for a moment, and changes wait.
 */

import { counter } from "../../shared/counters.ts";
import { StorageError } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import {
  type Batch,
  DamagedRecord,
  isOfOnePart,
  type NewMessage,
  type QueueStore,
} from "../../shared/queue/store.ts";
import { stopAt } from "../../shared/stop_points.ts";
import { byMessage, type Change, type Pending, type Stuck, StuckChanges } from "./change.ts";

const commits = counter("qmgr_commits", "commits of the queue, each with one sync of the disk");
const committed = counter("qmgr_committed", "messages and changes made durable by them");
const failures = counter("qmgr_commit_failures", "commits that failed");

/** After a failed commit, changes are tried again and mail is taken again after so long. */
const RETRY_MS = 1000;
/** What fails while others succeed is tried after twice as long each time, up to this. */
const MAX_PAUSE_MS = 60_000;
/** When none of so many messages can be changed, it is the disk. */
const PROBES = 5;

interface Arrival {
  readonly what: NewMessage;
  /** Answered with the queue id under which its source is queued already, if it is. */
  readonly resolve: (already: string | undefined) => void;
  readonly reject: (error: StorageError) => void;
}

/** What could not be made, and why. */
interface Left {
  readonly stuck: Stuck;
  readonly failure: StorageError;
  /** It was tried by itself. */
  readonly alone: boolean;
}

export class Committer {
  #added: Arrival[] = [];
  #changes: Pending[] = [];
  #scheduled = false;
  /** The disk: why new mail is refused and every change waits, until it is tried again. */
  #failed: StorageError | undefined;
  #stuck = new StuckChanges();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wake = false;
  /** Commits that have succeeded. */
  #made = 0;

  constructor(readonly store: Pick<QueueStore, "commit">, readonly retryMs = RETRY_MS) {}

  /**
   * Resolves when the message is durable: to undefined, or when its source was queued before to the queue id that it got
   * then. Throws StorageError when it is not durable and will not be.
   */
  add(message: NewMessage): Promise<string | undefined> {
    if (this.#failed) return Promise.reject(this.#failed);
    return new Promise((resolve, reject) => {
      this.#added.push({ what: message, resolve, reject });
      this.#schedule();
    });
  }

  /**
   * Resolves when the change is durable, however long the disk takes to work again; to the error when it never will be,
   * because the message's record is damaged. Changes of one message are made in the order in which they come.
   */
  change(change: Change): Promise<StorageError | undefined> {
    return this.#want(change, false);
  }

  /** The same, but resolves to the error whenever the change cannot be made now; it may have been made all the same. */
  changeOnce(change: Change): Promise<StorageError | undefined> {
    return this.#want(change, true);
  }

  #want(what: Change, once: boolean): Promise<StorageError | undefined> {
    return new Promise((resolve) => {
      this.#changes.push({ what, once, resolve });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#failed) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  async #run(): Promise<void> {
    const added = this.#added;
    const changes = this.#stuck.size ? this.#stuck.queueBehind(this.#changes) : this.#changes;
    this.#added = [];
    this.#changes = [];
    if (added.length || changes.length) {
      const failure = await this.#commit(added, changes);
      if (failure) await this.#recover(failure, added, changes);
    }
    if (this.#wake) await this.#tryAgain();
    this.#scheduled = false;
    if (this.#failed || this.#stuck.size) this.#wakeLater();
    if (this.#added.length || this.#changes.length || this.#wake) this.#schedule();
  }

  /** Makes all of it durable, or answers why none of it is. */
  async #commit(
    added: readonly Arrival[],
    changes: readonly Pending[],
  ): Promise<StorageError | undefined> {
    stopAt?.(`${purpose(added, changes)}.before`);
    let done;
    try {
      done = await this.store.commit(batch(added, changes));
    } catch (error) {
      // Anything else is our own fault: this role ends, and starts again.
      if (!(error instanceof StorageError)) throw error;
      failures.add();
      return error;
    }
    stopAt?.(`${purpose(added, changes)}.after`);
    const { refused, already } = done;
    this.#made++;
    commits.add();
    committed.add(added.length + changes.length);
    for (const { what, resolve, reject } of added) {
      const { queueId } = what.envelope;
      if (refused.size && refused.has(queueId)) {
        reject(new StorageError(`enqueue ${queueId}: the queue id is taken`));
      } else resolve(already.size ? already.get(what) : undefined);
    }
    for (const { resolve } of changes) resolve(undefined);
  }

  /** Not all of a batch can be made durable. */
  async #recover(
    failure: StorageError,
    added: readonly Arrival[],
    changes: readonly Pending[],
  ): Promise<void> {
    const messages = byMessage(changes, this.#made);
    const left = await this.#sift(messages, added.length ? undefined : failure);
    let refused = added.length ? failure : undefined;
    // It may be for a change that the mail could not be committed.
    if (left.length && refused) refused = await this.#commit(added, []);
    if (refused) refused = await this.#addEach(added, refused);
    this.#failed = this.#setAside(left) ?? refused;
    if (this.#failed) warning(`queue file write error: ${this.#failed.message}`);
  }

  /** Refuses new mail that cannot be made durable: of what meets a damaged page only that. Answers why none can be, if so. */
  async #addEach(
    added: readonly Arrival[],
    failure: StorageError,
  ): Promise<StorageError | undefined> {
    if (!isOfOnePart(failure)) {
      for (const { reject } of added) reject(failure);
      return failure;
    }
    for (const each of added) {
      const itsOwn = added.length === 1 ? failure : await this.#commit([each], []);
      if (itsOwn) each.reject(itsOwn);
    }
  }

  /** What could not be made before is tried without anything new. */
  async #tryAgain(): Promise<void> {
    this.#wake = false;
    const left = await this.#sift(this.#stuck.takeDue(performance.now()));
    const broken = this.#setAside(left);
    if (broken) warning(`queue file write error: ${broken.message}`);
  }

  /** Makes what can be made, and answers what is left. `known` is why all of it together cannot be made. */
  async #sift(messages: readonly Stuck[], known?: StorageError): Promise<Left[]> {
    if (!messages.length) return [];
    const failure = known ?? await this.#commit([], changesOf(messages));
    if (!failure) return [];
    if (messages.length === 1) return [{ stuck: messages[0]!, failure, alone: true }];
    const { probes, rest } = pickSome(messages);
    const left: Left[] = [];
    for (const stuck of probes) {
      const failure = await this.#commit([], stuck.changes);
      if (failure) left.push({ stuck, failure, alone: true });
    }
    return left.length === probes.length
      ? [...left, ...rest.map((stuck) => ({ stuck, failure, alone: false }))]
      : [...left, ...await this.#halve(rest)];
  }

  /** The same where some can be made: with few commits when few cannot. */
  async #halve(messages: readonly Stuck[]): Promise<Left[]> {
    if (!messages.length) return [];
    const failure = await this.#commit([], changesOf(messages));
    if (!failure) return [];
    if (messages.length === 1) return [{ stuck: messages[0]!, failure, alone: true }];
    const middle = messages.length >> 1;
    return [
      ...await this.#halve(messages.slice(0, middle)),
      ...await this.#halve(messages.slice(middle)),
    ];
  }

  /**
   * Gives up what is damaged, and keeps the rest for later: what fails while other commits succeed, for longer each time.
   * Answers why something failed for which that is not known.
   */
  #setAside(left: readonly Left[]): StorageError | undefined {
    let broken: StorageError | undefined;
    for (const { stuck, failure, alone } of left) {
      if (alone && failure instanceof DamagedRecord) {
        warning(`${stuck.queueId}: damaged record: ${failure.message}`);
        for (const { resolve } of stuck.changes) resolve(failure);
        continue;
      }
      const why = new StorageError(failure.message);
      for (const { once, resolve } of stuck.changes) if (once) resolve(why);
      stuck.changes = stuck.changes.filter(({ once }) => !once);
      // Nothing is left to remember whose fault it was; if it is the disk's, new mail finds out by itself.
      if (!stuck.changes.length) continue;
      const atFault = alone && this.#made > stuck.since;
      if (atFault) this.#restLonger(stuck, why);
      else broken ??= why;
      this.#stuck.put(stuck);
    }
    return broken;
  }

  #restLonger(stuck: Stuck, why: StorageError): void {
    if (!stuck.pauseMs) warning(`${stuck.queueId}: queue file write error: ${why.message}`);
    stuck.pauseMs = Math.min((stuck.pauseMs ?? this.retryMs) * 2, MAX_PAUSE_MS);
    stuck.nextAt = performance.now() + stuck.pauseMs;
  }

  #wakeLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#failed = undefined;
      this.#wake = true;
      this.#schedule();
    }, this.retryMs);
  }
}

/** Some of these, chosen at random: what lies together on the disk may be damaged together. */
function pickSome(messages: readonly Stuck[]): { probes: Stuck[]; rest: Stuck[] } {
  const rest = [...messages], probes: Stuck[] = [];
  while (rest.length && probes.length < PROBES) {
    const [one] = rest.splice(Math.floor(Math.random() * rest.length), 1);
    probes.push(one!);
  }
  return { probes, rest };
}

function changesOf(messages: readonly Stuck[]): Pending[] {
  return messages.flatMap(({ changes }) => changes);
}

function batch(added: readonly Arrival[], changes: readonly Pending[]): Batch {
  const outcomes = [], reported = [], moved = [], removed = [], settled = [];
  for (const { what } of changes) {
    const { queueId } = what;
    if (what.outcomes?.length) outcomes.push({ queueId, outcomes: what.outcomes });
    if (what.reported?.length) reported.push({ queueId, recipients: what.reported });
    if (what.move) moved.push({ queueId, ...what.move });
    if (what.remove) removed.push(queueId);
    if (what.settled) settled.push(...what.settled);
  }
  return { added: added.map(({ what }) => what), outcomes, reported, moved, removed, settled };
}

/** What a commit is for, as the stop points name it. */
function purpose(added: readonly unknown[], changes: readonly Pending[]) {
  if (added.length) return "commit";
  if (changes.some(({ what }) => what.remove)) return "remove";
  if (changes.some(({ what }) => what.move?.queue === "deferred")) return "requeue";
  return changes.some(({ what }) => what.move?.queue === "active") ? "activate" : "outcome";
}
