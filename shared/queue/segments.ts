/**
 * Content too large for the database, which writes all that it takes twice, and too small for a file of its own: one behind
 * another in segments, the numbered files of one directory. What a batch brings is written and synced in one go, the directory
 * included where a segment is new, before the commit that names it. A segment is written from its beginning to its end once;
 * when no message is in it any more it gets another number and is written over. One that no message names is an orphan.
 */

import { join } from "@std/path";
import { reason, StorageError } from "../errors.ts";
import { SharedRun } from "../shared_run.ts";
import { writeAll } from "../write_all.ts";
import { makeDirectory, sweepDirectory, syncDirectory } from "./directory.ts";
import { tryToRemove } from "./spare_files.ts";
import { DamagedRecord, FullDisk } from "./store.ts";

/** Where a segment ends. */
export const SEGMENT_BYTES = 4 * 1024 * 1024;
/** What segments may take that are kept to be written over. */
const MAX_FREE_SEGMENTS = 64 * 1024 * 1024 / SEGMENT_BYTES;
/** A segment with less than this in use, and for so long, is more than those few messages are worth. */
const SPARSE_BYTES = SEGMENT_BYTES / 8;
const SPARSE_MS = 10_000;
/** Numbers beyond this are not ours. */
export const MAX_SEGMENT = 999_999_999_999;
/** Where not all rows can be read, these may name numbers beyond those of the files. */
const LEAP = 1_000_000;

/** Where the content of a message is. */
export interface Piece {
  readonly queueId: string;
  readonly segment: number;
  readonly at: number;
  readonly size: number;
}

class Segment {
  readonly pieces = new Set<Piece>();
  /** Bytes of its pieces. */
  used = 0;
  /** Where the next piece begins. */
  end = 0;
  /** Its name is on the disk. */
  isNamed = false;
  /** Nobody knows what of it is on the disk: nothing more is written to it. */
  isDoubtful = false;
  /** Since when it is sparse, or when what is left in it was last to be moved. */
  sparseSince = 0;

  constructor(readonly number: number) {}
}

export class Segments {
  #segments = new Map<number, Segment>();
  #current: Segment | undefined;
  /** Segments that are written over next. */
  #free: number[] = [];
  /** Segments that hardly anything is left of, the longest so first. */
  #sparse = new Set<Segment>();
  #last = 0;
  #names = new SharedRun(() => this.#syncDirectory());

  /** `directory` is made, with mode 0700, by `prepare`. */
  constructor(readonly directory: string, readonly steady: () => number) {}

  prepare(): void {
    makeDirectory(this.directory);
  }

  /** At a start: a message names this. */
  adopt(piece: Piece): void {
    let segment = this.#segments.get(piece.segment);
    if (!segment) this.#segments.set(piece.segment, segment = new Segment(piece.segment));
    this.#use(segment, piece);
  }

  /** After the last `adopt`: removes segments that no message names, as far as that can be done; returns how many there were. */
  sweep(): number {
    const removed = sweepDirectory(this.directory, (name) => this.#segments.has(numberOf(name)));
    this.#skipNames();
    for (const segment of this.#segments.values()) {
      this.#last = Math.max(this.#last, segment.number);
      this.#look(segment);
    }
    return removed;
  }

  /** At a start at which not all is known that messages name: what is there stays, and is not written to. */
  keepAll(): void {
    this.#skipNames();
    this.#last += LEAP;
  }

  /** Writes contents and syncs them; where each is. Throws StorageError, and then nothing of them is kept. */
  async write(
    contents: readonly (readonly [queueId: string, bytes: Uint8Array])[],
  ): Promise<Piece[]> {
    const pieces: Piece[] = [], touched = new Set<Segment>();
    const files = new Map<Segment, Deno.FsFile>();
    try {
      for (const [queueId, bytes] of contents) {
        const segment = this.#roomFor(bytes.length);
        touched.add(segment);
        if (!files.has(segment)) files.set(segment, this.#openAtEnd(segment));
        const piece = { queueId, segment: segment.number, at: segment.end, size: bytes.length };
        pieces.push(piece);
        this.#use(segment, piece);
        segment.end += bytes.length;
        writeAll(files.get(segment)!, bytes);
      }
      for (const [segment, file] of files) await this.#sync(segment, file);
      return pieces;
    } catch (error) {
      for (const segment of touched) this.#doubt(segment);
      for (const piece of pieces) this.release(piece);
      // It may have been for want of space.
      this.clear();
      const Kind = (error as { code?: string }).code === "ENOSPC" ? FullDisk : StorageError;
      throw new Kind(`write to ${this.directory}: ${reason(error)}`);
    } finally {
      for (const file of files.values()) file.close();
    }
  }

  /** No message names this, and none will after a crash. */
  release(piece: Piece): void {
    const segment = this.#segments.get(piece.segment);
    if (!segment?.pieces.delete(piece)) return;
    segment.used -= piece.size;
    if (segment !== this.#current) this.#look(segment);
  }

  /** What is left in a segment that is hardly used: whoever moves it elsewhere gets the segment's space. */
  sparse(): readonly Piece[] {
    const [segment] = this.#sparse, now = this.steady();
    if (!segment || now - segment.sparseSince < SPARSE_MS) return [];
    // What cannot be moved now is tried again.
    this.#sparse.delete(segment);
    this.#sparse.add(segment);
    segment.sparseSince = now;
    return [...segment.pieces];
  }

  /** Gives back the space that no message needs. */
  clear(): void {
    const current = this.#current;
    if (current?.used === 0) {
      this.#current = undefined;
      this.#look(current);
    }
    // Whoever looks at the disk next is to find it there.
    for (const number of this.#free.splice(0)) {
      tryToRemove(segmentPath(this.directory, number));
    }
  }

  /** No segment is made where a file is. */
  #skipNames(): void {
    for (const { name } of Deno.readDirSync(this.directory)) {
      this.#last = Math.max(this.#last, numberOf(name));
    }
  }

  #use(segment: Segment, piece: Piece): void {
    segment.pieces.add(piece);
    segment.used += piece.size;
  }

  /** The segment that the next so many bytes go to. Throws what the system says. */
  #roomFor(bytes: number): Segment {
    const current = this.#current;
    if (current && current.end + bytes <= SEGMENT_BYTES) return current;
    this.#current = undefined;
    if (current) this.#look(current);
    const segment = new Segment(++this.#last);
    this.#make(segment.number);
    this.#segments.set(segment.number, segment);
    return this.#current = segment;
  }

  /** A file of this number, used before or new. */
  #make(number: number): void {
    const free = this.#free.pop(), path = segmentPath(this.directory, number);
    if (free !== undefined) {
      try {
        // Under another name: whoever reads what was in it sees that.
        Deno.renameSync(segmentPath(this.directory, free), path);
        return;
      } catch {
        this.#remove(free);
      }
    }
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
  }

  #openAtEnd(segment: Segment): Deno.FsFile {
    const file = Deno.openSync(segmentPath(this.directory, segment.number), { write: true });
    file.seekSync(segment.end, Deno.SeekMode.Start);
    return file;
  }

  async #sync(segment: Segment, file: Deno.FsFile): Promise<void> {
    await file.syncData();
    if (!segment.isNamed) await this.#names.join();
    if (segment.isDoubtful) throw new StorageError("a sync has failed");
    segment.isNamed = true;
  }

  #doubt(segment: Segment): void {
    segment.isDoubtful = true;
    if (segment !== this.#current) return;
    this.#current = undefined;
    this.#look(segment);
  }

  /** A segment that is not written to any more: is it worth its space? */
  #look(segment: Segment): void {
    if (segment.used === 0) this.#retire(segment);
    else if (segment.used < SPARSE_BYTES && !this.#sparse.has(segment)) {
      segment.sparseSince = this.steady();
      this.#sparse.add(segment);
    }
  }

  #retire(segment: Segment): void {
    const { number, isDoubtful } = segment;
    this.#segments.delete(number);
    this.#sparse.delete(segment);
    if (!isDoubtful && this.#free.length < MAX_FREE_SEGMENTS) this.#free.push(number);
    else this.#remove(number);
  }

  /** It takes milliseconds where blocks are discarded; what fails is left to the next start. */
  #remove(number: number): void {
    Deno.remove(segmentPath(this.directory, number)).catch(() => {});
  }

  async #syncDirectory(): Promise<void> {
    try {
      await syncDirectory(this.directory);
    } catch (error) {
      // The next one may succeed, and say nothing of names that this one has lost.
      for (const segment of this.#segments.values()) if (!segment.isNamed) this.#doubt(segment);
      throw error;
    }
  }
}

/** A content; throws DamagedRecord when it is not all there, StorageError when it cannot be read now. */
export function readPiece(directory: string, { queueId, segment, at, size }: Piece): Uint8Array {
  const path = segmentPath(directory, segment), what = `read content ${queueId}`;
  try {
    using file = Deno.openSync(path, { read: true });
    const missing = at + size - file.statSync().size;
    if (missing > 0) throw new DamagedRecord(`${what}: ${missing} bytes are missing`);
    file.seekSync(at, Deno.SeekMode.Start);
    const bytes = new Uint8Array(size);
    for (let got = 0; got < size;) {
      const count = file.readSync(bytes.subarray(got));
      if (count === null) throw new DamagedRecord(`${what}: ${size - got} bytes are missing`);
      got += count;
    }
    // Its owner gives it another name before writing over it.
    Deno.statSync(path);
    return bytes;
  } catch (error) {
    if (error instanceof DamagedRecord) throw error;
    const Kind = error instanceof Deno.errors.NotFound ? DamagedRecord : StorageError;
    throw new Kind(`${what}: ${reason(error)}`);
  }
}

/** The number of a segment's file; 0 for any other name. */
function numberOf(name: string): number {
  const number = Number(name);
  return `${number}` === name && number > 0 && number <= MAX_SEGMENT ? number : 0;
}

function segmentPath(directory: string, number: number): string {
  return join(directory, `${number}`);
}
