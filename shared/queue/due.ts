/**
 * Which messages are due, active, named by an operator, or on their way to a site. A page of the database that is
 * malformed, or that the disk does not give back, costs the messages on it, and no others, as long as it is not one of an
 * index.
 */

import { StorageError } from "../errors.ts";
import { warning } from "../log/log.ts";
import { domainOf } from "../mail/address.ts";
import type { Which } from "../protocols/queue.ts";
import { messageOf, type MessageRow } from "./record.ts";
import { MESSAGE_COLUMNS } from "./sqlite_reader.ts";
import { DamagedRecord, isOfOnePart, type QueuedMessage } from "./store.ts";

/** Where the last page of due messages ended. */
export interface Position {
  readonly nextTry: number;
  readonly id: number;
}

/** Reads rows with a statement. */
export type Rows = <T>(sql: string, ...values: (string | number)[]) => T[];

/** Messages of a queue that are due at `now`, after a position; `next` is where to go on. */
export function dueRows(
  rows: Rows,
  queue: string,
  now: number,
  limit: number,
  { nextTry, id }: Position,
): { found: MessageRow[]; next: Position | undefined } {
  const read = <T>(columns: string) =>
    rows<T>(
      `SELECT ${columns} FROM messages
       WHERE queue = ? AND queue <> 'active' AND next_try <= ? AND (next_try, id) > (?, ?)
       ORDER BY next_try, id LIMIT ?`,
      ...[queue, now, nextTry, id, limit],
    );
  let places: Pick<MessageRow, "id" | "next_try">[], found: MessageRow[];
  try {
    places = found = read<MessageRow>(MESSAGE_COLUMNS);
  } catch (error) {
    if (!isOfOnePart(error)) throw error;
    // The index knows them all.
    places = read<MessageRow>("id, next_try");
    found = undamaged(places, ({ id }) => rowOf(rows, id));
  }
  const last = places.length === limit ? places.at(-1) : undefined;
  return { found, next: last && { nextTry: last.next_try, id: last.id } };
}

/** The messages in rows; those whose record is damaged go to corrupt, if that can be written. */
export function messagesOf(
  rows: readonly MessageRow[],
  corrupt: (row: MessageRow) => void,
): QueuedMessage[] {
  const messages: QueuedMessage[] = [];
  for (const row of rows) {
    try {
      messages.push(messageOf(row));
    } catch (error) {
      if (!(error instanceof DamagedRecord)) throw error;
      setAside(row, error, corrupt);
    }
  }
  return messages;
}

function setAside(row: MessageRow, damage: DamagedRecord, corrupt: (row: MessageRow) => void) {
  try {
    corrupt(row);
    warning(`${row.queue_id}: damaged record moved to corrupt: ${damage.message}`);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const why = `${damage.message}: ${error.message}`;
    warning(`${row.queue_id}: damaged record cannot be moved to corrupt: ${why}`);
  }
}

/** The row of an id that the index names; throws DamagedRecord when there is none. */
function rowOf(rows: Rows, id: number): MessageRow {
  const sql = `SELECT ${MESSAGE_COLUMNS} FROM messages WHERE id = ?`;
  const [row] = rows<MessageRow>(sql, id);
  if (!row) throw new DamagedRecord(`message ${id}: only the index knows it`);
  return row;
}

/** Active messages, by number. */
export function activeIds(rows: Rows): number[] {
  const scan = "SELECT id FROM messages WHERE queue = 'active'";
  try {
    return rows<{ id: number }>(scan).map(({ id }) => id);
  } catch (error) {
    if (!isOfOnePart(error)) throw error;
  }
  // The index of queue ids knows them all, whatever page they are on.
  const all = rows<{ id: number }>("SELECT id FROM messages ORDER BY queue_id");
  const sql = "SELECT id FROM messages WHERE id = ? AND queue = 'active'";
  return undamaged(all, ({ id }) => rows<{ id: number }>(sql, id)).flat().map(({ id }) => id);
}

/**
 * The next messages, by number, that an operator names of those in these queues (a list for SQL), and where to go on;
 * that is a number of ALL, or a place in the list of queue ids.
 */
export function namedIds(
  rows: Rows,
  which: Which,
  queues: string,
  limit: number,
  from: number,
): { ids: number[]; next: number | undefined } {
  const readAll = (sql: string, values: readonly (string | number)[]) =>
    undamaged(values, (value) => rows<{ id: number }>(sql, value)).flat().map(({ id }) => id);
  const among = `SELECT id FROM messages WHERE queue IN (${queues})`;
  if (which !== "ALL") {
    const next = from + limit < which.length ? from + limit : undefined;
    return { ids: readAll(`${among} AND queue_id = ?`, which.slice(from, from + limit)), next };
  }
  let places: { id: number }[], ids;
  try {
    places = rows(`${among} AND id > ? ORDER BY id LIMIT ?`, from, limit);
    ids = places.map(({ id }) => id);
  } catch (error) {
    if (!isOfOnePart(error)) throw error;
    // As above.
    places = rows<{ id: number }>("SELECT id FROM messages ORDER BY queue_id")
      .filter(({ id }) => id > from).toSorted((a, b) => a.id - b.id).slice(0, limit);
    ids = readAll(`${among} AND id = ?`, places.map(({ id }) => id));
  }
  return { ids, next: places.length === limit ? places.at(-1)!.id : undefined };
}

/** What `run` makes of each, but for those on a damaged page. */
export function undamaged<T, Result>(all: readonly T[], run: (each: T) => Result): Result[] {
  const results: Result[] = [];
  for (const each of all) {
    try {
      results.push(run(each));
    } catch (error) {
      if (!isOfOnePart(error)) throw error;
    }
  }
  const missing = all.length - results.length;
  if (missing) warning(`queue: damaged: ${missing} messages cannot be read, nor go to corrupt`);
  return results;
}

/** True when a message has an open recipient at this site. */
export function goesTo(rows: Rows, id: number, site: string): boolean {
  const open = rows<{ address: string }>(
    "SELECT address FROM recipients WHERE message = ? AND state IN ('todo', 'deferred')",
    id,
  );
  const domain = site.toLowerCase();
  return open.some(({ address }) => domainOf(address) === domain);
}
