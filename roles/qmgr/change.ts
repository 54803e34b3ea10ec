/** A change to a message that must become durable, and changes that could not be made so far. */

import { StorageError } from "../../shared/errors.ts";
import type { Outcome } from "../../shared/mail/envelope.ts";
import type { Move } from "../../shared/queue/store.ts";

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

/** A change, and who waits for it. */
export interface Pending {
  readonly what: Change;
  /** It is not tried a second time. */
  readonly once: boolean;
  /** Answered with nothing when it is durable, else with why it will not be. */
  readonly resolve: (failure: StorageError | undefined) => void;
}

/** All that waits of one message, in the order in which it has to be made. */
export interface Stuck {
  readonly queueId: string;
  changes: Pending[];
  /** How many commits had succeeded when it failed first. */
  readonly since: number;
  /** Milliseconds until its next try; undefined when it has not failed while others succeeded. */
  pauseMs: number | undefined;
  /** By performance.now(). */
  nextAt: number;
}

/** Changes by message: what one of them waits for the later ones of the same message wait for, too. */
export function byMessage(changes: readonly Pending[], since: number): Stuck[] {
  const all = new Map<string, Stuck>();
  for (const change of changes) {
    const { queueId } = change.what;
    const known = all.get(queueId);
    if (known) known.changes.push(change);
    else all.set(queueId, { queueId, changes: [change], since, pauseMs: undefined, nextAt: 0 });
  }
  return [...all.values()];
}

/** What could not be made, until it is tried again. */
export class StuckChanges {
  #byMessage = new Map<string, Stuck>();

  get size(): number {
    return this.#byMessage.size;
  }

  put(stuck: Stuck): void {
    this.#byMessage.set(stuck.queueId, stuck);
  }

  /** Takes changes to messages of which something is stuck; answers the others. */
  queueBehind(changes: readonly Pending[]): Pending[] {
    return changes.filter((change) => {
      const stuck = this.#byMessage.get(change.what.queueId);
      if (!stuck) return true;
      if (!change.once) stuck.changes.push(change);
      else change.resolve(new StorageError(`${stuck.queueId}: an earlier change waits`));
      return false;
    });
  }

  /** Takes out what is to be tried now. */
  takeDue(now: number): Stuck[] {
    const due = [...this.#byMessage.values()].filter(({ nextAt }) => nextAt <= now);
    for (const { queueId } of due) this.#byMessage.delete(queueId);
    return due;
  }
}
