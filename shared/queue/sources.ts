/** Submissions that may be made again, remembered in the transaction that queues them: the table `sources`. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { reason } from "../errors.ts";
import { seldom } from "../log/seldom.ts";
import type { Source } from "../mail/envelope.ts";
import { type Batch, isOfOnePart } from "./store.ts";

/** So many are looked at in one go for those that are to be forgotten. */
export const SOURCES_PAGE = 1000;

/** Whoever changes something has a transaction open, and makes errors of SQLite its own. */
export class Sources {
  #find: StatementSync;
  #add: StatementSync;
  #remove: StatementSync;
  #forget: StatementSync;
  #page: StatementSync;
  /** Where the last page ended. */
  #last = "";
  #warn = seldom();

  /** `guard` makes errors of SQLite the store's. */
  constructor(db: DatabaseSync, readonly guard: (run: () => void) => void) {
    this.#find = db.prepare("SELECT queue_id FROM sources WHERE source = ?");
    this.#add = db.prepare("INSERT INTO sources (source, queue_id, added) VALUES (?, ?, ?)");
    this.#remove = db.prepare("DELETE FROM sources WHERE source = ?");
    this.#forget = db.prepare("DELETE FROM sources WHERE added < ?");
    this.#page = db.prepare(
      `SELECT source, added FROM sources WHERE source > ? ORDER BY source LIMIT ${SOURCES_PAGE}`,
    );
  }

  /** The queue id that the source got. */
  find(id: string): string | undefined {
    return (this.#find.get(id) as { queue_id: string } | undefined)?.queue_id;
  }

  /** Remembers a source that is not there yet. */
  add({ id }: Source, queueId: string, time: number): void {
    this.#add.run(id, queueId, time);
  }

  /** What a batch settles, but for what is on a damaged page: that would end the transaction, and does no harm. */
  forgettable({ added, settled = [] }: Batch): readonly string[] {
    const ids = added.flatMap(({ source }) => source?.settled ?? []);
    return [...ids, ...settled].filter((id) => {
      try {
        this.guard(() => this.#find.get(id));
        return true;
      } catch (error) {
        if (!isOfOnePart(error)) throw error;
        this.#warn(`forget submissions: ${reason(error)}`);
        return false;
      }
    });
  }

  /** Forgets those that will not come again. */
  settle(ids: readonly string[]): void {
    for (const id of ids) this.#remove.run(id);
  }

  /** Forgets what was added before a time. */
  forgetBefore(time: number): void {
    this.#forget.run(time);
  }

  /** Those of the next page that were added before a time; the pages go round and round. */
  someBefore(time: number): string[] {
    const page = this.#page.all(this.#last) as { source: string; added: number }[];
    this.#last = page.length < SOURCES_PAGE ? "" : page.at(-1)!.source;
    return page.filter(({ added }) => added < time).map(({ source }) => source);
  }
}
