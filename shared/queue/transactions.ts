/**
 * SQLite's transactions, and the sync of its log that makes them durable. It is done here, beside whatever else this role does:
 * SQLite would hold all of that up in COMMIT until the disk is done. What its checkpoints need it syncs itself.
 */

import type { DatabaseSync } from "node:sqlite";
import { reason, StorageError } from "../errors.ts";
import { SharedRun } from "../shared_run.ts";
import { writeAll } from "../write_all.ts";

const PIECE_BYTES = 1024 * 1024;

export class Transactions {
  #begin;
  #commit;
  #rollback;
  #log: Deno.FsFile;
  #syncs = new SharedRun(() => this.#sync());
  /** Why nobody knows what of the log is on disk. */
  #doubt: StorageError | undefined;
  /** What the next transaction begins with. */
  #undo: (() => void)[] = [];

  /** `path` is the database's log, which has to be there. Throws what the system and SQLite say. */
  constructor(readonly db: DatabaseSync, readonly path: string) {
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#rollback = db.prepare("ROLLBACK");
    this.#log = Deno.openSync(path, { read: true });
    this.#doubt = new StorageError(`${path}: not synced since the start`);
    this.run(() => {});
  }

  /**
   * Makes all changes of `change` or none, for all to see, and answers what it answers; they are durable after the next sync.
   * Throws what SQLite says.
   */
  run<T>(change: () => T): T {
    let result;
    this.#begin.run();
    try {
      if (this.#doubt) this.#renew();
      result = change();
      this.#commit.run();
    } catch (error) {
      this.#giveUp();
      throw error;
    }
    if (this.#doubt) this.#trust();
    return result;
  }

  /**
   * Resolves when all transactions until now are durable; throws StorageError when that is not known. Then they stand until the
   * next transaction, which begins with `undo`.
   */
  async sync(undo: () => void = () => {}): Promise<void> {
    await this.#syncs.join();
    if (!this.#doubt) return;
    this.#undo.push(undo);
    throw this.#doubt;
  }

  /** After a sync that failed: what can be read is certain again when this returns. Throws what the system and SQLite say. */
  settle(): void {
    if (this.#doubt) this.run(() => {});
  }

  /** Moves what is in the log to the database, so that the log can begin anew. Throws what the system and SQLite say. */
  checkpoint(mode: "PASSIVE" | "TRUNCATE"): void {
    this.settle();
    // exec() would keep SQLite's code to itself.
    this.db.prepare(`PRAGMA wal_checkpoint(${mode})`).get();
  }

  async #sync(): Promise<void> {
    try {
      await this.#log.syncData();
    } catch (error) {
      this.#doubt = new StorageError(`sync ${this.path}: ${reason(error)}`);
    }
  }

  /**
   * Writes the log over itself and syncs it; the transaction keeps other writers away. When a sync fails the kernel may take
   * for written what is only in its memory, and say so once, to a process that has ended perhaps: then what is written
   * behind that would be lost with it.
   */
  #renew(): void {
    using log = Deno.openSync(this.path, { read: true, write: true });
    const piece = new Uint8Array(PIECE_BYTES);
    for (let at = 0, count; (count = log.readSync(piece)); at += count) {
      log.seekSync(at, Deno.SeekMode.Start);
      writeAll(log, piece.subarray(0, count));
    }
    log.syncDataSync();
    for (const undo of this.#undo) undo();
  }

  #trust(): void {
    this.#doubt = undefined;
    this.#undo = [];
  }

  #giveUp(): void {
    try {
      this.#rollback.run();
    } catch (error) {
      // A full disk may have ended the transaction already.
      if (this.db.isTransaction) throw new StorageError(`roll back: ${reason(error)}`);
    }
  }
}
