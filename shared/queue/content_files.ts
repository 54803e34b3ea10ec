/**
 * Content too large for the database: a file each in one directory, named by queue id, written while it streams in and
 * synced, directory included, before the commit that names it. A file that no message names is an orphan.
 *
 * Only the syncs wait for the disk and are asynchronous: the calls between them touch the page cache, and handing each of
 * them to a thread costs more than they do.
 */

import { join } from "@std/path";
import { reason, StorageError } from "../errors.ts";
import { QUEUE_ID } from "../mail/queue_id.ts";
import { SharedRun } from "../shared_run.ts";
import { writeAll } from "../write_all.ts";
import { makeDirectory, sweepDirectory, syncDirectory } from "./directory.ts";
import { SpareFiles, tryToRemove } from "./spare_files.ts";
import { DamagedRecord } from "./store.ts";

const READ_BYTES = 256 * 1024;

export class ContentFiles {
  #spares: SpareFiles;
  #names = new SharedRun(() => syncDirectory(this.directory));
  /** Files that somebody reads, and how many do. */
  #read = new Map<string, number>();

  /** `directory` is made, with mode 0700, by `prepare`. Whoever is not its owner reads while the owner writes. */
  constructor(readonly directory: string, readonly owner = true) {
    this.#spares = new SpareFiles(directory);
  }

  prepare(): void {
    makeDirectory(this.directory);
  }

  /** Writes all of `source` to a new file and syncs it; a file that exists or a source that fails leaves nothing new. */
  async write(queueId: string, source: AsyncIterable<Uint8Array>): Promise<number> {
    const path = this.#path(queueId);
    const file = storage(`write content ${queueId}`, () => this.#create(path));
    try {
      const size = await writeEach(file, source);
      await file.syncData().catch(failed(`write content ${queueId}`));
      file.close();
      await this.#names.join().catch(failed(`sync ${this.directory}`));
      return size;
    } catch (error) {
      close(file);
      this.remove(queueId);
      // It may have been for want of space: others can use theirs.
      if (error instanceof StorageError) this.#spares.clear();
      throw error;
    }
  }

  /** The file's first `size` bytes in chunks: it may have been longer before. Throws DamagedRecord when it is shorter. */
  read(queueId: string, size: number): AsyncIterable<Uint8Array> {
    const path = this.#path(queueId);
    try {
      const { size: actual } = Deno.statSync(path);
      if (actual < size) {
        throw new DamagedRecord(`read content ${queueId}: has ${actual} bytes instead of ${size}`);
      }
    } catch (error) {
      if (error instanceof DamagedRecord) throw error;
      const Kind = error instanceof Deno.errors.NotFound ? DamagedRecord : StorageError;
      throw new Kind(`read content ${queueId}: ${reason(error)}`);
    }
    return this.#chunks(path, queueId, size);
  }

  /** Removes a file; one that is not there or cannot be removed now is left to `sweep`. */
  remove(queueId: string): void {
    const path = this.#path(queueId);
    try {
      // Who reads a file has to read on in it, whatever comes next.
      if (!this.#read.has(path) && this.#spares.take(path)) return;
    } catch {
      // What cannot be kept is removed.
    }
    // It takes milliseconds where blocks are discarded; what fails is left to the next start.
    Deno.remove(path).catch(() => {});
  }

  /** Gives back the space that no message needs. */
  clear(): void {
    this.#spares.clear();
  }

  /** Removes every file that no message names, as far as that can be done; returns how many there were. */
  sweep(isNamed: (queueId: string) => boolean): number {
    return sweepDirectory(this.directory, (name) => QUEUE_ID.test(name) && isNamed(name));
  }

  /** A file to write to, spare or new. Throws what the system says; then what was at `path` before is there still. */
  #create(path: string): Deno.FsFile {
    if (this.#spares.give(path)) {
      try {
        return Deno.openSync(path, { write: true });
      } catch {
        // What can be spared is needed by nobody: a new file serves as well.
        tryToRemove(path);
      }
    }
    return Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  }

  /** A queue id comes from a peer: nothing but its alphabet may become a file name. */
  #path(queueId: string): string {
    if (!QUEUE_ID.test(queueId)) throw new StorageError("content: not a queue id");
    return join(this.directory, queueId);
  }

  /** Opens when the first chunk is asked for: content that nobody reads holds no file. */
  async *#chunks(path: string, queueId: string, size: number): AsyncGenerator<Uint8Array> {
    const what = `read content ${queueId}`;
    this.#read.set(path, (this.#read.get(path) ?? 0) + 1);
    try {
      using file = storage(what, () => Deno.openSync(path, { read: true }));
      for (let left = size; left > 0;) {
        // A new array each time: the receiver may keep what it was given.
        const buffer = new Uint8Array(Math.min(READ_BYTES, left));
        const count = storage(what, () => file.readSync(buffer));
        if (count === null) throw new DamagedRecord(`${what}: ${left} bytes are missing`);
        if (!this.owner && !isAt(path, file)) throw new StorageError(`${what}: it has gone`);
        left -= count;
        yield buffer.subarray(0, count);
      }
    } finally {
      const others = this.#read.get(path)! - 1;
      if (others) this.#read.set(path, others);
      else this.#read.delete(path);
    }
  }
}

/** False when the owner may have begun to write over the file: it loses its name before. */
function isAt(path: string, file: Deno.FsFile): boolean {
  try {
    return Deno.statSync(path).ino === file.statSync().ino;
  } catch {
    return false;
  }
}

async function writeEach(file: Deno.FsFile, source: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    storage("write content", () => writeAll(file, chunk));
  }
  return size;
}

function storage<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    return failed(what)(error);
  }
}

/** Throws what the system said as trouble of the storage. */
function failed(what: string): (error: unknown) => never {
  return (error) => {
    throw new StorageError(`${what}: ${reason(error)}`);
  };
}

function close(file: Deno.FsFile): void {
  try {
    file.close();
  } catch {
    // Closed already.
  }
}
