/** The tables of `queue.db`, and how the database is opened. An operator may read it with any sqlite3 shell. */

import { DatabaseSync } from "node:sqlite";
import { join } from "@std/path";
import { ConfigError, reason, StorageError } from "../errors.ts";
import { databaseFiles } from "../layout.ts";
import { syncDirectorySync } from "./directory.ts";
import { MAX_SEGMENT } from "./segments.ts";

/** What readers need has been there since this version. */
const READABLE_VERSION = 1;
/** How long another process may hold the database, a sqlite3 shell for example, before we give up. */
export const BUSY_MS = 2000;
export const PAGE_BYTES = 4096;
/** What the log takes for a page. */
export const FRAME_BYTES = PAGE_BYTES + 24;
/** Pages in the log before they are moved to the database: fewer, larger checkpoints. */
const CHECKPOINT_PAGES = 4000;
/** The log is cut to this when it has been moved. */
const LOG_BYTES = 64 * 1024 * 1024;

const TABLES = `
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY,            -- in order of arrival
    queue_id TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL,               -- incoming, active, deferred, hold, corrupt
    next_try INTEGER NOT NULL,         -- milliseconds since the epoch
    warned INTEGER NOT NULL DEFAULT 0, -- the sender was told: 1 of the delay, 2 of a trace
    size INTEGER NOT NULL,             -- content bytes
    recipients INTEGER NOT NULL,       -- how many it came with
    place TEXT NOT NULL,               -- where the content is: database, file, both, segment
    envelope TEXT NOT NULL             -- JSON
  ) STRICT;
  -- Mail that flows through is active and never enters this index.
  CREATE INDEX waiting ON messages (queue, next_try, id) WHERE queue <> 'active';
  CREATE TABLE recipients (
    message INTEGER NOT NULL,
    n INTEGER NOT NULL,
    state TEXT NOT NULL,               -- todo, deferred, bounced, sent, (un)deliverable, done
    address TEXT NOT NULL,
    original TEXT NOT NULL,
    orcpt TEXT NOT NULL,
    notify TEXT NOT NULL,              -- NEVER, or SUCCESS,FAILURE,DELAY
    outcome TEXT,                      -- JSON of the last attempt
    PRIMARY KEY (message, n)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE contents (
    message INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
  ) STRICT;
`;

const SOURCES = `
  CREATE TABLE sources (
    source TEXT PRIMARY KEY,           -- of a submission that may be made again
    queue_id TEXT NOT NULL,            -- what became of it; the message may be gone by now
    added INTEGER NOT NULL             -- milliseconds since the epoch
  ) STRICT, WITHOUT ROWID;
`;

const REMOVAL = removal("= 'database'");

/** Content may begin in the database and go on in a file. */
const REMOVAL_OF_HEADS = `DROP TRIGGER removal; ${removal("<> 'file'")}`;

const PIECES = `
  CREATE TABLE pieces (
    message INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL,          -- the file of this number in segments/
    at INTEGER NOT NULL                -- where the content begins there; messages.size says how long it is
  ) STRICT;
`;

/** What is in a segment has nothing in `contents`. */
const ITS_PIECE = "DELETE FROM pieces WHERE message = OLD.id AND OLD.place = 'segment';";
const REMOVAL_OF_PIECES = `DROP TRIGGER removal; ${removal("IN ('database', 'both')", ITS_PIECE)}`;

/**
 * What belongs to a message goes with it: one statement instead of three saves a fifth of what a message costs SQLite.
 * A damaged page of `contents` holds up no message whose content is all in a file.
 */
function removal(where: string, more = ""): string {
  return `
  CREATE TRIGGER removal AFTER DELETE ON messages BEGIN
    DELETE FROM recipients WHERE message = OLD.id;
    DELETE FROM contents WHERE message = OLD.id AND OLD.place ${where};
    ${more}
  END;
`;
}

/** What each version of the tables adds to the one before it, the first to none. */
const VERSIONS: readonly string[] = [
  TABLES,
  SOURCES,
  REMOVAL,
  REMOVAL_OF_HEADS,
  PIECES + REMOVAL_OF_PIECES,
];

/** The database's file in qmgr's directory. */
export function databaseFile(directory: string): string {
  return databaseFiles(directory)[0];
}

/** What was committed and is not in the database's file yet. */
export function logFile(directory: string): string {
  return databaseFiles(directory)[1];
}

/** Where content too large for the database is. */
export function contentDirectory(directory: string): string {
  return join(directory, "content");
}

/** Where content is that the database would write twice, but that needs no file of its own. */
export function segmentDirectory(directory: string): string {
  return join(directory, "segments");
}

/** Opens, and makes if need be, the database for its one writer. */
export function openDatabase(directory: string): DatabaseSync {
  const path = databaseFile(directory);
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Made before SQLite opens it, so that it and its log never have another mode.
    Deno.openSync(path, { write: true, create: true, mode: 0o600 }).close();
    const db = new DatabaseSync(path, { timeout: BUSY_MS });
    // page_size must come first: it is fixed once the log is in use.
    db.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    // There is no place for temporary files: nothing but the queue can be written.
    db.exec("PRAGMA temp_store = MEMORY");
    db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    db.exec(`PRAGMA journal_size_limit = ${LOG_BYTES}`);
    const version = versionOf(db);
    if (version < 0 || version > VERSIONS.length) throw unknownVersion(path, version);
    const missing = VERSIONS.slice(version).join("");
    if (missing) db.exec(`BEGIN; ${missing} PRAGMA user_version = ${VERSIONS.length}; COMMIT`);
    syncDirectorySync(directory);
    // From here on the owner syncs the log: see `Transactions`.
    db.exec("PRAGMA synchronous = NORMAL");
    return db;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new StorageError(`open ${path}: ${reason(error)}`);
  }
}

/** For SQL: a piece that a segment can have. */
export const SOUND_PIECE =
  `segment BETWEEN 1 AND ${MAX_SEGMENT} AND at BETWEEN 0 AND ${MAX_SEGMENT}`;

/** Opens the database for a reader that holds no right to write. */
export function openReadOnly(directory: string): DatabaseSync {
  const path = databaseFile(directory);
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS });
    db.exec("PRAGMA temp_store = MEMORY");
    const version = versionOf(db);
    const readable = version >= READABLE_VERSION && version <= VERSIONS.length;
    if (!readable) throw unknownVersion(path, version);
    return db;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new StorageError(`open ${path}: ${reason(error)}`);
  }
}

/** Writes what changes nothing, with which the log has its header. To be called in a transaction. */
export function beginLog(db: DatabaseSync): void {
  db.exec(`PRAGMA user_version = ${VERSIONS.length}`);
}

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare("PRAGMA user_version").get()!["user_version"]);
}

function unknownVersion(path: string, version: number): ConfigError {
  return new ConfigError(
    `${path}: has schema version ${version}, this program knows ${VERSIONS.length}`,
  );
}
