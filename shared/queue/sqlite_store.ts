/**
 * The queue in one SQLite database with a write-ahead log, synced after each commit, and files for large contents.
 *
 * A message (`messages.queue`):
 *
 *   queue     in the database                       a crash there leads to     next
 *   --------  ------------------------------------  -------------------------  -----------------------------------
 *   (none)    nothing, at most content elsewhere    the client heard no 250;   incoming, active
 *             that no message names                 start removes it
 *   incoming  message, recipients, content          incoming                   active, hold, removed
 *   active    the same; qmgr has it in memory       incoming, after a grace    deferred, hold, incoming, corrupt,
 *                                                   for agents that live on    removed
 *   deferred  the same; next_try says when          deferred                   active, incoming, hold, removed
 *   hold      the same; nothing looks at it         hold                       incoming, removed
 *   corrupt   what is left of it                    corrupt                    incoming, removed: an operator decides
 *   removed   nothing, at most content elsewhere    start removes it           (none)
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
  type ContentFile,
  keepContent,
  unlessAborted,
} from "./kept_content.ts";
import { type Piece, Segments } from "./segments.ts";
import { activeIds, dueRows, goesTo, messagesOf, type Position, type Rows } from "./due.ts";
import { MailRows } from "./mail_rows.ts";
import { type Change, type Changeable, changeNamed, COMMAND_PAGE } from "./named_changes.ts";
import { OutsideContents, type Pieces } from "./outside_contents.ts";
import { QueueSpace } from "./queue_space.ts";
import { Reserve } from "./reserve.ts";
import { SqliteReader } from "./sqlite_reader.ts";
import { Sources } from "./sources.ts";
import { logFile, openDatabase, segmentDirectory } from "./sqlite_schema.ts";
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
  readonly #outside: OutsideContents;
  #sources: Sources;
  readonly #read: Rows = (sql, ...values) => this.rows(sql, ...values);
  readonly #changeable: Changeable = {
    read: this.#read,
    settle: () => this.#settle(),
    must: (run) => this.#must(run),
    sync: () => this.#transactions.sync(),
  };
  #transactions: Transactions;
  /** Messages that an operator removed, and whose content elsewhere is to go when that is durable. */
  #gone = new Set<string>();
  #space: QueueSpace;

  constructor(
    directory: string,
    readonly budget = contentBudget(),
    steady = () => performance.now(),
  ) {
    const reserve = new Reserve(directory);
    super(reserve.behind(() => openDatabase(directory)), directory, true);
    this.#transactions = reserve.behind(() =>
      this.guard(() => new Transactions(this.db, logFile(directory)))
    );
    const segments = new Segments(segmentDirectory(directory), steady);
    const outside = this.#outside = new OutsideContents(this.files, segments, this.#read);
    this.#space = new QueueSpace(directory, this.db, this.#transactions, outside, reserve);
    this.#mail = new MailRows(this.db);
    this.#sources = new Sources(this.db, (run) => this.guard(run));
    this.guard(() => outside.prepare());
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
    return unlessAborted(signal, queueId, this.#outside.spool(queueId, source), this);
  }

  // deno-lint-ignore require-await
  async discard(content: Kept): Promise<void> {
    this.#outside.discard(content);
  }

  async queuedAs(sourceId: string): Promise<string | undefined> {
    this.#settle();
    const queueId = this.guard(() => this.#sources.find(sourceId));
    // Whoever hears of it does not submit it again.
    if (queueId !== undefined) await this.#transactions.sync();
    return queueId;
  }

  async commit(batch: Batch): Promise<Committed> {
    const written = this.#outside.write(batch.added);
    const pieces = written instanceof Promise ? await written : written;
    try {
      if (pieces.size) stopAt?.("store.pieces_synced");
      const committed = await this.#commit(batch, pieces);
      this.#outside.settle(pieces);
      return committed;
    } catch (error) {
      this.#outside.doubt(pieces);
      throw error;
    }
  }

  async #commit(batch: Batch, pieces: Pieces): Promise<Committed> {
    const { doubtful } = this.#outside, settled = this.#sources.forgettable(batch);
    const write = () => this.#write(batch, pieces, settled);
    // What is kept for changes is not for new mail.
    const { refused, already, unnamed } = batch.added.length
      ? this.#transaction(write)
      : this.#must(write);
    const moved = this.#thinOut();
    stopAt?.("store.unsynced");
    // Who is told that it was refused sends it again.
    await this.#transactions.sync(() => {
      for (const message of batch.added) {
        if (isAdded(message, { already, refused })) this.#takeBack(message);
      }
    });
    stopAt?.("store.committed");
    this.#space.moveGrowth();
    // A crash before this leaves orphans, which the next start removes.
    for (const queueId of unnamed) this.#outside.drop(queueId);
    this.#dropGone();
    this.#outside.free(doubtful);
    for (const piece of moved) this.#outside.moved(piece);
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
    const remove = (id: number) => {
      const sql = "SELECT queue_id FROM messages WHERE id = ?";
      const { queue_id } = this.row<{ queue_id: string }>(sql, id)!;
      if (this.#remove(queue_id)) this.#gone.add(queue_id);
    };
    try {
      return await this.#command(which, ANY_BUT_ACTIVE, remove);
    } finally {
      if (this.#gone.size) await this.#transactions.sync();
      this.#dropGone();
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
    this.#outside.clear();
    try {
      await this.#transactions.sync();
      this.#space.prepare();
      this.#space.make(() => this.guard(() => this.#space.moveLog()));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      warning(`queue: what is in the log is left to the next start: ${error.message}`);
    }
  }

  /** Writes a batch down, or nothing of it; `unnamed` are messages whose content elsewhere is of no use any more. */
  #write(
    batch: Batch,
    pieces: Pieces,
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
      } else if (!this.#add(message, pieces.get(message))) {
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

  /** After a sync. */
  #dropGone(): void {
    for (const queueId of this.#gone) {
      // A change that failed has left its messages.
      if (this.#outside.placeOf(queueId) === undefined) this.#outside.drop(queueId);
    }
    this.#gone.clear();
  }

  /** (none) -> incoming or active; false when the queue id is taken. */
  #add(message: NewMessage, piece: Piece | undefined): boolean {
    const { envelope: { queueId, arrived }, source } = message;
    if (!this.#mail.add(message, piece)) return false;
    this.#outside.own(message, piece);
    if (source) this.#sources.add(source, queueId, arrived);
    return true;
  }

  /** Any -> removed; true when its content is left to remove. */
  #remove(queueId: string): boolean {
    this.#mail.remove(queueId);
    return this.#outside.has(queueId);
  }

  /** incoming, active -> (none), for mail that its sender was told is not here. */
  #takeBack({ envelope, source }: NewMessage): void {
    this.#mail.remove(envelope.queueId);
    if (source) this.#sources.settle([source.id]);
  }

  /** Contents that keep a segment from others go to the database, where there is room. */
  #thinOut(): Piece[] {
    if (this.strained || this.#space.isScarce) return [];
    return this.#outside.thinOut((piece, bytes) =>
      this.#transaction(() => this.#mail.takeOver(piece, bytes))
    );
  }

  #corrupt(id: number): void {
    this.#change("UPDATE messages SET queue = 'corrupt' WHERE id = ?", id);
  }

  #enqueue(id: number, queue: "hold" | "incoming"): void {
    this.prepare("UPDATE messages SET queue = ?, next_try = 0 WHERE id = ?").run(queue, id);
  }

  #command(which: Which, queues: string, change: Change): Promise<number> {
    return changeNamed(this.#changeable, which, queues, change);
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

function isAdded(message: NewMessage, { already, refused }: Committed): boolean {
  return !already.has(message) && !refused.has(message.envelope.queueId);
}
