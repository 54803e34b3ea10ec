/** Submissions that may be made again, remembered in the transaction that queues them: the table `sources`. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Source } from "../mail/envelope.ts";

/** The caller has a transaction open, and makes errors of SQLite its own. */
export class Sources {
  #find: StatementSync;
  #add: StatementSync;
  #remove: StatementSync;
  #forget: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare("SELECT queue_id FROM sources WHERE source = ?");
    this.#add = db.prepare("INSERT INTO sources (source, queue_id, added) VALUES (?, ?, ?)");
    this.#remove = db.prepare("DELETE FROM sources WHERE source = ?");
    this.#forget = db.prepare("DELETE FROM sources WHERE added < ?");
  }

  /** The queue id that the source got. */
  find(id: string): string | undefined {
    return (this.#find.get(id) as { queue_id: string } | undefined)?.queue_id;
  }

  /** Remembers a source that is not there yet. */
  add({ id }: Source, queueId: string, time: number): void {
    this.#add.run(id, queueId, time);
  }

  /** Forgets those that will not come again. */
  settle(ids: readonly string[]): void {
    for (const id of ids) this.#remove.run(id);
  }

  /** Forgets what was added before a time. */
  forgetBefore(time: number): void {
    this.#forget.run(time);
  }
}
