/**
 * Group commit: what comes in during one turn of the event loop, new mail and outcomes alike, becomes durable together.
 * While a commit runs the next batch collects by itself; there is no timer.
 */

import { counter } from "../../shared/counters.ts";
import { reason, StorageError } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import type { Outcome } from "../../shared/mail/envelope.ts";
import type { Batch, Move, NewMessage, QueueStore } from "../../shared/queue/store.ts";
import { stopAt } from "../../shared/stop_points.ts";

const commits = counter("qmgr_commits", "commits of the queue, each with one sync of the disk");
const committed = counter("qmgr_committed", "messages and changes made durable by them");
const failures = counter("qmgr_commit_failures", "commits that failed");

/** After a failed commit, changes are tried again and mail is taken again after so long. */
const RETRY_MS = 1000;

/** Something that must become durable. */
export interface Change {
  readonly queueId: string;
  readonly outcomes?: readonly Outcome[];
  /** Recipients whose sender was told. */
  readonly reported?: readonly number[];
  readonly move?: Omit<Move, "queueId">;
  readonly remove?: boolean;
  /** Sources of reports that will not be asked for again. */
  readonly settled?: readonly string[];
}

interface Waiting<T, Answer = void> {
  readonly what: T;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** Answered with the queue id under which its source is queued already, if it is. */
type Arrival = Waiting<NewMessage, string | undefined>;

export class Committer {
  #added: Arrival[] = [];
  #changes: Waiting<Change>[] = [];
  #scheduled = false;
  #failed: StorageError | undefined;

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

  /** Resolves when the change is durable, however long the disk takes to work again. */
  change(change: Change): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#changes.push({ what: change, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#failed) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  async #run(): Promise<void> {
    const added = this.#added, changes = this.#changes;
    this.#added = [];
    this.#changes = [];
    try {
      await this.#commit(added, changes);
    } catch (error) {
      await this.#recover(error, added, changes);
    }
    this.#scheduled = false;
    if (this.#added.length || this.#changes.length) this.#schedule();
  }

  async #commit(
    added: readonly Arrival[],
    changes: readonly Waiting<Change>[],
  ): Promise<void> {
    stopAt?.(`${purpose(added, changes)}.before`);
    const { refused, already } = await this.store.commit(batch(added, changes));
    stopAt?.(`${purpose(added, changes)}.after`);
    commits.add();
    committed.add(added.length + changes.length);
    for (const { what, resolve, reject } of added) {
      const { queueId } = what.envelope;
      if (refused.size && refused.has(queueId)) {
        reject(new StorageError(`enqueue ${queueId}: the queue id is taken`));
      } else resolve(already.size ? already.get(what) : undefined);
    }
    for (const { resolve } of changes) resolve();
  }

  /** The disk does not take it all: new mail is refused, changes are tried without it, now and later. */
  async #recover(
    error: unknown,
    added: readonly Arrival[],
    changes: Waiting<Change>[],
  ): Promise<void> {
    failures.add();
    const failure = error instanceof StorageError ? error : new StorageError(reason(error));
    warning(`queue file write error: ${failure.message}`);
    for (const { reject } of added) reject(failure);
    if (added.length && changes.length) {
      try {
        await this.#commit([], changes);
        changes = [];
      } catch {
        // The timer tries them again.
      }
    }
    this.#failed = failure;
    this.#changes = [...changes, ...this.#changes];
    setTimeout(() => {
      this.#failed = undefined;
      if (this.#changes.length) this.#schedule();
    }, this.retryMs);
  }
}

function batch(
  added: readonly Arrival[],
  changes: readonly Waiting<Change>[],
): Batch {
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
function purpose(added: readonly unknown[], changes: readonly Waiting<Change>[]) {
  if (added.length) return "commit";
  if (changes.some(({ what }) => what.remove)) return "remove";
  if (changes.some(({ what }) => what.move?.queue === "deferred")) return "requeue";
  return changes.some(({ what }) => what.move?.queue === "active") ? "activate" : "outcome";
}
