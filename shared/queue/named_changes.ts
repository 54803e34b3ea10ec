/** What operators have done to the messages that they name: a page at a time, and on a damaged disk one by one. */

import type { Which } from "../protocols/queue.ts";
import { othersTurn } from "../timer.ts";
import { namedIds, type Rows, undamaged } from "./due.ts";
import { isOfOnePart } from "./store.ts";

/** Messages that one step changes before others get their turn: few enough for the space that is kept for changes. */
export const COMMAND_PAGE = 100;

/** A change of one message, by number; false from it does not count. */
export type Change = (id: number) => boolean | void;

/** What is needed of the store. */
export interface Changeable {
  readonly read: Rows;
  /** After this what can be read is certain. */
  settle(): void;
  /** Runs a transaction. */
  must<T>(run: () => T): T;
  sync(): Promise<void>;
}

/** Applies `change` to the messages named that are in one of these queues, a list for SQL; resolves to how many. */
export async function changeNamed(
  store: Changeable,
  which: Which,
  queues: string,
  change: Change,
): Promise<number> {
  let changed = 0;
  for (let from: number | undefined = 0; from !== undefined;) {
    store.settle();
    const { ids, next } = namedIds(store.read, which, queues, COMMAND_PAGE, from);
    changed += changeEach(store, ids, change);
    if (next !== undefined) await othersTurn();
    from = next;
  }
  await store.sync();
  return changed;
}

/** How many were changed: all in one go, or one by one where something is on a damaged page. */
function changeEach(store: Changeable, ids: readonly number[], change: Change): number {
  const changeAll = (some: readonly number[]) =>
    store.must(() => some.filter((id) => change(id) !== false).length);
  try {
    return changeAll(ids);
  } catch (error) {
    if (!isOfOnePart(error)) throw error;
  }
  return undamaged(ids, (id) => changeAll([id])).reduce((sum, count) => sum + count, 0);
}
