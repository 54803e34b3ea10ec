/** The SQLite queue as a reader sees it: showq with a read-only database, and the reading half of the store. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { reason, StorageError } from "../errors.ts";
import type { Listed } from "../protocols/queue.ts";
import { othersTurn } from "../timer.ts";
import { ContentFiles } from "./content_files.ts";
import { type Piece, readPiece } from "./segments.ts";
import { messageOf, type MessageRow, recipientOf, type RecipientRow } from "./record.ts";
import {
  contentDirectory,
  databaseFile,
  openReadOnly,
  segmentDirectory,
  SOUND_PIECE,
} from "./sqlite_schema.ts";
import {
  DamagedRecord,
  FullDisk,
  isOfOnePart,
  type QueuedMessage,
  type QueueReader,
  type RecipientState,
  type StoredRecipient,
  UnreadablePart,
} from "./store.ts";

/** Messages of a listing that are read at a time; writers go on in between. */
const LIST_PAGE = 100;
/** Recipients of one message that are shown at most. */
const LIST_RECIPIENTS = 50_000;

/** Recipients that a listing shows: those that did not get the message. */
const LISTED: readonly RecipientState[] = [
  "todo",
  "deferred",
  "bounced",
  "deliverable",
  "undeliverable",
];

/** What a listing calls what was said of a recipient. */
const REASONS = {
  deferred: "delay_reason",
  bounced: "bounce_reason",
  sent: "other_reason",
  deliverable: "other_reason",
  undeliverable: "other_reason",
} as const;

/** SQLite's result codes for a malformed page and a full disk; the bits above tell kinds of them apart. */
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const PRIMARY_CODE = 0xff;
/** When the disk does not give back a page, or the file system says that it is damaged there. */
const SQLITE_IOERR_READ = 266;
const SQLITE_IOERR_CORRUPTFS = 8458;

const MEND = " (stop the mail system; sqlite3's .recover saves what can be read)";

/** Its envelope is none: it is listed as corrupt. */
const UNREADABLE: Omit<MessageRow, "id" | "queue_id"> = {
  queue: "corrupt",
  next_try: 0,
  warned: 0,
  size: 0,
  recipients: 0,
  place: "database",
  envelope: "",
};

export const MESSAGE_COLUMNS =
  "id, queue_id, queue, next_try, warned, size, recipients, place, envelope";
const RECIPIENT_COLUMNS = "n, state, address, original, orcpt, notify, outcome";

/** Opens the queue in `directory` for reading only; the caller needs no right to write there. */
export function openReader(directory: string): SqliteReader {
  return new SqliteReader(openReadOnly(directory), directory);
}

export class SqliteReader implements QueueReader {
  protected readonly files: ContentFiles;
  #statements = new Map<string, StatementSync>();

  constructor(protected readonly db: DatabaseSync, readonly directory: string, owner = false) {
    this.files = new ContentFiles(contentDirectory(directory), owner);
  }

  async *list(): AsyncGenerator<Listed> {
    for (let last = 0;;) {
      const rows = this.#page(last);
      if (!rows.length) return;
      for (const row of rows) yield this.#listed(row);
      last = rows.at(-1)!.id;
      await othersTurn();
    }
  }

  // deno-lint-ignore require-await
  async find(queueId: string): Promise<QueuedMessage | undefined> {
    const row = this.message(queueId);
    return row && messageOf(row);
  }

  // deno-lint-ignore require-await
  async recipients(
    queueId: string,
    states: readonly RecipientState[],
    from: number,
    limit: number,
  ): Promise<StoredRecipient[]> {
    const row = this.message(queueId);
    return row ? this.recipientsOf(row, states, from, limit) : [];
  }

  // deno-lint-ignore require-await
  async tally(queueId: string): Promise<Record<RecipientState, number>> {
    const tally = {
      ...{ todo: 0, deferred: 0, bounced: 0, sent: 0, done: 0 },
      ...{ deliverable: 0, undeliverable: 0 },
    };
    const sql = `SELECT state, count(*) AS count FROM recipients
      WHERE message = (SELECT id FROM messages WHERE queue_id = ?) GROUP BY state`;
    type Row = { state: RecipientState; count: number };
    for (const { state, count } of this.rows<Row>(sql, queueId)) tally[state] = count;
    return tally;
  }

  // deno-lint-ignore require-await
  async content(queueId: string): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
    try {
      return this.#content(queueId);
    } catch (error) {
      if (this.files.owner || !(error instanceof DamagedRecord)) throw error;
      // The owner may have moved it meanwhile.
      return this.#content(queueId);
    }
  }

  #content(queueId: string): Uint8Array | AsyncIterable<Uint8Array> {
    const row = this.message(queueId);
    if (!row) throw new DamagedRecord(`${queueId}: not in the queue`);
    if (row.place === "segment") {
      return readPiece(segmentDirectory(this.directory), this.#pieceOf(row));
    }
    if (row.place === "file") return this.files.read(queueId, row.size);
    const bytes = this.row<{ bytes: Uint8Array }>(
      "SELECT bytes FROM contents WHERE message = ?",
      row.id,
    )?.bytes;
    if (bytes && row.place === "both" && bytes.length <= row.size) {
      return joined(bytes, this.files.read(queueId, row.size - bytes.length));
    }
    if (bytes?.length !== row.size) {
      throw new DamagedRecord(
        `${queueId}: content has ${bytes?.length ?? "no"} bytes instead of ${row.size}`,
      );
    }
    return bytes;
  }

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    this.db.close();
  }

  protected message(queueId: string): MessageRow | undefined {
    return this.row<MessageRow>(
      `SELECT ${MESSAGE_COLUMNS} FROM messages WHERE queue_id = ?`,
      queueId,
    );
  }

  protected recipientsOf(
    row: MessageRow,
    states: readonly RecipientState[],
    from: number,
    limit: number,
  ): StoredRecipient[] {
    // States are words of this program, never of a message.
    const wanted = states.length ? `AND state IN (${states.map((s) => `'${s}'`).join(", ")})` : "";
    return this.rows<RecipientRow>(
      `SELECT ${RECIPIENT_COLUMNS} FROM recipients
       WHERE message = ? AND n >= ? ${wanted} ORDER BY n LIMIT ?`,
      row.id,
      from,
      limit,
    ).map((each) => recipientOf(row.queue_id, each));
  }

  /** A statement, made once and kept; the texts are few and fixed. */
  protected prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, statement = this.db.prepare(sql));
    return statement;
  }

  protected rows<T>(sql: string, ...values: (string | number)[]): T[] {
    return this.guard(() => this.prepare(sql).all(...values) as T[]);
  }

  protected row<T>(sql: string, ...values: (string | number)[]): T | undefined {
    return this.guard(() => this.prepare(sql).get(...values) as T | undefined);
  }

  /** Whatever SQLite and the disk say (full, input/output error, read-only, malformed, busy) is local trouble. */
  protected guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      // A TypeError is not theirs but our own.
      if (error instanceof StorageError || error instanceof TypeError) throw error;
      const Kind = kindOf(error), advice = Kind === DamagedRecord ? MEND : "";
      const place = codeOf(error) ? databaseFile(this.directory) : this.directory;
      throw new Kind(`${place}: ${reason(error)}${advice}`);
    }
  }

  /** Where in the segments a content is; throws DamagedRecord. */
  #pieceOf({ id, queue_id: queueId, size }: MessageRow): Piece {
    // In one statement: the number may be another message's by now.
    const sql = `SELECT segment, at FROM pieces JOIN messages ON id = message
      WHERE message = ? AND queue_id = ? AND size = ?
        AND ${SOUND_PIECE}`;
    const row = this.row<{ segment: number; at: number }>(sql, id, queueId, size);
    if (!row) throw new DamagedRecord(`${queueId}: nothing says where its content is`);
    return { queueId, size, ...row };
  }

  /** The next messages of a listing. */
  #page(last: number): MessageRow[] {
    try {
      return this.rows<MessageRow>(
        `SELECT ${MESSAGE_COLUMNS} FROM messages WHERE id > ? ORDER BY id LIMIT ${LIST_PAGE}`,
        last,
      );
    } catch (error) {
      if (!isOfOnePart(error)) throw error;
    }
    // The index of queue ids knows those, too, that are on a damaged page.
    return this.rows<Pick<MessageRow, "id" | "queue_id">>(
      "SELECT id, queue_id FROM messages ORDER BY queue_id",
    ).filter(({ id }) => id > last).toSorted((a, b) => a.id - b.id).slice(0, LIST_PAGE)
      .map((each) => this.#readable(each));
  }

  /** A message, or what a listing may say of one that cannot be read. */
  #readable({ id, queue_id }: Pick<MessageRow, "id" | "queue_id">): MessageRow {
    try {
      const sql = `SELECT ${MESSAGE_COLUMNS} FROM messages WHERE id = ?`;
      const row = this.row<MessageRow>(sql, id);
      if (row) return row;
    } catch (error) {
      if (!isOfOnePart(error)) throw error;
    }
    return { ...UNREADABLE, id, queue_id };
  }

  #listed(row: MessageRow): Listed {
    const shown = {
      queue_name: row.queue,
      queue_id: row.queue_id,
      message_size: row.size,
      forced_expire: false,
    };
    try {
      const { envelope } = messageOf(row);
      const open = this.recipientsOf(row, LISTED, 0, LIST_RECIPIENTS);
      return {
        ...shown,
        arrival_time: Math.floor(envelope.arrived / 1000),
        sender: envelope.sender,
        recipients: open.map(({ address, original, outcome }) => ({
          address,
          ...(original && original !== address ? { orig_address: original } : {}),
          ...(outcome ? { [REASONS[outcome.status]]: outcome.text } : {}),
        })),
      };
    } catch (error) {
      if (!isOfOnePart(error)) throw error;
      return { ...shown, queue_name: "corrupt", arrival_time: 0, sender: "", recipients: [] };
    }
  }
}

async function* joined(
  head: Uint8Array,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield head;
  yield* body;
}

/** SQLite's result code; 0 for what it did not say. */
function codeOf(error: unknown): number {
  return (error as { errcode?: number }).errcode ?? 0;
}

/** What SQLite came upon: no space, or a page that is not what it has written, or cannot be read; others may be sound. */
function kindOf(error: unknown): typeof StorageError {
  const code = codeOf(error);
  if ((code & PRIMARY_CODE) === SQLITE_CORRUPT) return DamagedRecord;
  if (code === SQLITE_FULL) return FullDisk;
  const isUnreadable = code === SQLITE_IOERR_READ || code === SQLITE_IOERR_CORRUPTFS;
  return isUnreadable ? UnreadablePart : StorageError;
}
