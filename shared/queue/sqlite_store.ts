/**
 * The queue in one SQLite database with a write-ahead log, synced after each commit, and a file for each large content.
 *
 * A message (`messages.queue`):
 *
 *   queue     in the database                       a crash there leads to     next
 *   --------  ------------------------------------  -------------------------  -----------------------------------
 *   (none)    nothing, at most a content file       the client heard no 250;   incoming, active
 *             that no message names                 start removes the file
 *   incoming  message, recipients, content          incoming                   active, hold, removed
 *   active    the same; qmgr has it in memory       incoming, after a grace    deferred, hold, incoming, corrupt,
 *                                                   for agents that live on    removed
 *   deferred  the same; next_try says when          deferred                   active, incoming, hold, removed
 *   hold      the same; nothing looks at it         hold                       incoming, removed
 *   corrupt   what is left of it                    corrupt                    incoming, removed: an operator decides
 *   removed   nothing, at most a content file       start removes the file     (none)
 *
 * A recipient (`recipients.state`):
 *
 *   todo      never tried                           todo: tried (again)        deferred, bounced, sent; verified
 *   deferred  outcome says why                      deferred: tried again      deferred, bounced, sent
 *   bounced   final; the sender has to be told      bounced: told, or again    done
 *   sent      final; SUCCESS may have to be told    sent: told, or again       done
 *   verified  deliverable or undeliverable, final;  verified: told, or again   (removed with the message)
 *             nothing was delivered; to be told
 *   done      final, and the sender was told        done                       (removed with the message)
 */

import { reason, StorageError } from "../errors.ts";
import { warning } from "../log/log.ts";
import type { Which } from "../protocols/queue.ts";
import { stopAt } from "../stop_points.ts";
import { othersTurn } from "../timer.ts";
import {
  type Chunks,
  contentBudget,
  ContentFile,
  keepContent,
  spoolContent,
  unlessAborted,
} from "./kept_content.ts";
import {
  activeIds,
  dueRows,
  goesTo,
  messagesOf,
  namedIds,
  type Position,
  type Rows,
  undamaged,
} from "./due.ts";
import { MailRows } from "./mail_rows.ts";
import { QueueSpace } from "./queue_space.ts";
import { Reserve } from "./reserve.ts";
import { SqliteReader } from "./sqlite_reader.ts";
import { Sources } from "./sources.ts";
import { logFile, openDatabase } from "./sqlite_schema.ts";
import {
  type Batch,
  type Committed,
  FullDisk,
  isOfOnePart,
  type Kept,
  type NewMessage,
  type Page,
  type QueueStore,
  type Room,
  SOURCE_AGE_MS,
} from "./store.ts";
import { Transactions } from "./transactions.ts";

/** Messages that one step changes before others get their turn: few enough for the space that is kept for changes. */
const COMMAND_PAGE = 100;
/** For SQL: what operators may requeue and remove. */
const ANY_BUT_ACTIVE = "'incoming', 'deferred', 'hold', 'corrupt'";
const NOTHING_REFUSED: ReadonlySet<string> = new Set();
const NONE_ALREADY: ReadonlyMap<NewMessage, string> = new Map();

/** Opens, and makes if need be, the queue in `directory`; removes orphans. The caller is its only writer. */
export function openStore(directory: string): SqliteStore {
  return new SqliteStore(directory);
}

export class SqliteStore extends SqliteReader implements QueueStore {
  #mail: MailRows;
  /** Messages whose content is in a file. */
  #filed = new Set<string>();
  #sources: Sources;
  readonly #read: Rows = (sql, ...values) => this.rows(sql, ...values);
  #transactions: Transactions;
  #space: QueueSpace;

  constructor(directory: string, readonly budget = contentBudget()) {
    const reserve = new Reserve(directory);
    super(reserve.behind(() => openDatabase(directory)), directory, true);
    this.#transactions = reserve.behind(() =>
      this.guard(() => new Transactions(this.db, logFile(directory)))
    );
    this.#space = new QueueSpace(directory, this.db, this.#transactions, this.files, reserve);
    this.#mail = new MailRows(this.db);
    this.#sources = new Sources(this.db, (run) => this.guard(run));
    this.guard(() => this.files.prepare());
    const orphans = this.guard(() => this.files.sweep((queueId) => this.#isNamed(queueId)));
    if (orphans) warning(`queue: removed ${orphans} content files that no message names`);
    this.#space.prepare();
  }

  get strained(): boolean {
    return this.#space.strained;
  }

  room(): Room {
    return this.#space.room();
  }

  shrink(): void {
    this.#space.shrink();
  }

  /** (none) -> (none), with the content at hand or in a synced file. */
  keep(queueId: string, source: Chunks, signal: AbortSignal): Promise<Kept> {
    const kept = keepContent(queueId, source, this.files, this.budget);
    return unlessAborted(signal, queueId, kept, this);
  }

  spool(queueId: string, source: Chunks, signal: AbortSignal): Promise<ContentFile> {
    return unlessAborted(signal, queueId, spoolContent(queueId, source, this.files), this);
  }

  // deno-lint-ignore require-await
  async discard(content: Kept): Promise<void> {
    if (content instanceof ContentFile) this.#removeFile(content.queueId);
  }

  async queuedAs(sourceId: string): Promise<string | undefined> {
    this.#settle();
    const queueId = this.guard(() => this.#sources.find(sourceId));
    // Whoever hears of it does not submit it again.
    if (queueId !== undefined) await this.#transactions.sync();
    return queueId;
  }

  async commit(batch: Batch): Promise<Committed> {
    const settled = this.#sources.forgettable(batch);
    const write = () => this.#write(batch, settled);
    // What is kept for changes is not for new mail.
    const { refused, already, unnamed } = batch.added.length
      ? this.#transaction(write)
      : this.#must(write);
    stopAt?.("store.unsynced");
    // Who is told that it was refused sends it again.
    await this.#transactions.sync(() => {
      for (const message of batch.added) {
        const isNew = !already.has(message) && !refused.has(message.envelope.queueId);
        if (isNew) this.#takeBack(message);
      }
    });
    stopAt?.("store.committed");
    this.#space.moveGrowth();
    // A crash before this leaves orphans, which the next start removes.
    for (const queueId of unnamed) this.#removeFile(queueId);
    return { refused, already };
  }

  async hasten(queue: "incoming" | "deferred", now: number, latest: number): Promise<number> {
    if (latest > Number.MAX_SAFE_INTEGER) return 0;
    for (let changed = 0;;) {
      const page = this.#change(
        `UPDATE messages SET next_try = ? WHERE id IN (SELECT id FROM messages
           WHERE queue = ? AND queue <> 'active' AND next_try > ? LIMIT ${COMMAND_PAGE})`,
        now,
        queue,
        latest,
      );
      changed += page;
      if (page < COMMAND_PAGE) return changed;
      await othersTurn();
    }
  }

  // deno-lint-ignore require-await
  async due(
    queue: "incoming" | "deferred",
    now: number,
    limit: number,
    after: unknown = { nextTry: -1, id: 0 },
  ): Promise<Page> {
    this.#settle();
    const { found, next } = dueRows(this.#read, queue, now, limit, after as Position);
    const messages = messagesOf(found, ({ id }) => this.#corrupt(id));
    return { messages, next };
  }

  /** active -> incoming. */
  // deno-lint-ignore require-await
  async recover(nextTry: number): Promise<number> {
    try {
      this.#must(() => this.#sources.forgetBefore(nextTry - SOURCE_AGE_MS));
    } catch (error) {
      if (!isOfOnePart(error)) throw error;
      warning(`forget submissions: ${reason(error)}`);
    }
    const update = "UPDATE messages SET queue = 'incoming', next_try = ? WHERE queue = 'active'";
    try {
      return this.#transaction(() => Number(this.prepare(update).run(nextTry).changes));
    } catch (error) {
      if (!isOfOnePart(error) && !(error instanceof FullDisk)) throw error;
    }
    const active = activeIds(this.#read), one = this.prepare(`${update} AND id = ?`);
    for (let at = 0; at < active.length; at += COMMAND_PAGE) {
      const page = active.slice(at, at + COMMAND_PAGE);
      this.#must(() => {
        for (const id of page) one.run(nextTry, id);
      });
    }
    return active.length;
  }

  // deno-lint-ignore require-await
  async forget(now: number): Promise<void> {
    const old = this.guard(() => this.#sources.someBefore(now - SOURCE_AGE_MS));
    if (old.length) this.#must(() => this.#sources.settle(old));
  }

  hold(which: Which): Promise<number> {
    return this.#command(which, "'incoming', 'deferred'", (id) => this.#enqueue(id, "hold"));
  }

  release(which: Which): Promise<number> {
    return this.#command(which, "'hold'", (id) => this.#enqueue(id, "incoming"));
  }

  requeue(which: Which): Promise<number> {
    return this.#command(which, ANY_BUT_ACTIVE, (id) => this.#enqueue(id, "incoming"));
  }

  async remove(which: Which): Promise<number> {
    const filed = new Set<string>();
    const remove = (id: number) => {
      const sql = "SELECT queue_id FROM messages WHERE id = ?";
      const { queue_id } = this.row<{ queue_id: string }>(sql, id)!;
      if (this.#remove(queue_id)) filed.add(queue_id);
    };
    try {
      return await this.#command(which, ANY_BUT_ACTIVE, remove);
    } finally {
      if (filed.size) await this.#transactions.sync();
      // A change that failed has left its messages.
      for (const queueId of filed) if (!this.#isNamed(queueId)) this.#removeFile(queueId);
    }
  }

  retry(which: Which, site?: string): Promise<number> {
    return this.#command(which, "'deferred'", (id) => {
      if (site !== undefined && !goesTo(this.#read, id, site)) return false;
      this.#enqueue(id, "incoming");
    });
  }

  /**
   * Leaves the connection to the end of the process: SQLite would remove the log with it, and without one a reader that
   * may not write cannot open the database. What cannot be moved there is safe in the log, and no reason not to stop.
   */
  override async close(): Promise<void> {
    this.files.clear();
    try {
      await this.#transactions.sync();
      this.#space.prepare();
      this.#space.make(() => this.guard(() => this.#space.moveLog()));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      warning(`queue: what is in the log is left to the next start: ${error.message}`);
    }
  }

  /** Writes a batch down, or nothing of it; `unnamed` are messages whose content file is of no use any more. */
  #write(
    batch: Batch,
    settled: readonly string[],
  ): Committed & { readonly unnamed: readonly string[] } {
    const unnamed: string[] = [];
    let refused = NOTHING_REFUSED as Set<string>;
    let already = NONE_ALREADY as Map<NewMessage, string>;
    for (const message of batch.added) {
      const first = message.source && this.#sources.find(message.source.id);
      if (first !== undefined) {
        if (already === NONE_ALREADY) already = new Map();
        already.set(message, first);
      } else if (!this.#add(message)) {
        if (refused === NOTHING_REFUSED) refused = new Set();
        refused.add(message.envelope.queueId);
      }
    }
    for (const { queueId, outcomes } of batch.outcomes) this.#mail.record(queueId, outcomes);
    for (const { queueId, recipients } of batch.reported) this.#mail.reported(queueId, recipients);
    for (const move of batch.moved) this.#mail.move(move);
    for (const queueId of batch.removed) if (this.#remove(queueId)) unnamed.push(queueId);
    this.#sources.settle(settled);
    stopAt?.("store.written");
    return { refused, already, unnamed };
  }

  /** (none) -> incoming or active; false when the queue id is taken. */
  #add(message: NewMessage): boolean {
    const { envelope: { queueId, arrived }, content, source } = message;
    if (!this.#mail.add(message)) return false;
    if (!(content instanceof Uint8Array)) this.#filed.add(queueId);
    if (source) this.#sources.add(source, queueId, arrived);
    return true;
  }

  /** Any -> removed; true when a content file is left to remove. */
  #remove(queueId: string): boolean {
    this.#mail.remove(queueId);
    return this.#filed.has(queueId);
  }

  /** incoming, active -> (none), for mail that its sender was told is not here. */
  #takeBack({ envelope, source }: NewMessage): void {
    this.#mail.remove(envelope.queueId);
    if (source) this.#sources.settle([source.id]);
  }

  #removeFile(queueId: string): void {
    this.#filed.delete(queueId);
    this.files.remove(queueId);
  }

  /** True for a content file that a message names, or may name; it will go with the message. */
  #isNamed(queueId: string): boolean {
    let named = true;
    try {
      named = (this.message(queueId)?.place ?? "database") !== "database";
    } catch (error) {
      if (!isOfOnePart(error)) throw error;
    }
    if (named) this.#filed.add(queueId);
    return named;
  }

  #corrupt(id: number): void {
    this.#change("UPDATE messages SET queue = 'corrupt' WHERE id = ?", id);
  }

  #enqueue(id: number, queue: "hold" | "incoming"): void {
    this.prepare("UPDATE messages SET queue = ?, next_try = 0 WHERE id = ?").run(queue, id);
  }

  /** Applies `change` to the messages named that are in one of these queues; false from it does not count. */
  async #command(
    which: Which,
    queues: string,
    change: (id: number) => boolean | void,
  ): Promise<number> {
    let changed = 0;
    for (let from: number | undefined = 0; from !== undefined;) {
      this.#settle();
      const { ids, next } = namedIds(this.#read, which, queues, COMMAND_PAGE, from);
      changed += this.#changeEach(ids, change);
      if (next !== undefined) await othersTurn();
      from = next;
    }
    await this.#transactions.sync();
    return changed;
  }

  /** How many were changed: all in one go, or one by one where something is on a damaged page. */
  #changeEach(ids: readonly number[], change: (id: number) => boolean | void): number {
    const changeAll = (some: readonly number[]) =>
      this.#must(() => some.filter((id) => change(id) !== false).length);
    try {
      return changeAll(ids);
    } catch (error) {
      if (!isOfOnePart(error)) throw error;
    }
    return undamaged(ids, (id) => changeAll([id])).reduce((sum, count) => sum + count, 0);
  }

  #change(sql: string, ...values: (string | number)[]): number {
    const { changes } = this.#space.make(() => this.guard(() => this.prepare(sql).run(...values)));
    return Number(changes);
  }

  /** After a sync that failed: what can be read is certain again. */
  #settle(): void {
    this.#space.make(() => this.guard(() => this.#transactions.settle()));
  }

  /** Throws FullDisk where there is no space but what is kept for changes. */
  #transaction<T>(run: () => T): T {
    return this.guard(() => this.#transactions.run(run));
  }

  /** The same for changes, which may need more than one go on a full disk. */
  #must<T>(run: () => T): T {
    return this.#space.make(() => this.#transaction(run));
  }
}
