/** Contents that are not in the database, and whose they are: files of their own, and pieces of segments. */

import { StorageError } from "../errors.ts";
import { warning } from "../log/log.ts";
import type { ContentFiles } from "./content_files.ts";
import type { Rows } from "./due.ts";
import { type Chunks, ContentFile, spoolContent } from "./kept_content.ts";
import { MAX_SEGMENT, type Piece, readPiece, type Segments } from "./segments.ts";
import { SOUND_PIECE } from "./sqlite_schema.ts";
import { isOfOnePart, type Kept, type NewMessage } from "./store.ts";

/** Content above this goes to a segment. Up to it a second sync costs more than what the database writes twice. */
export const MAX_DATABASE_CONTENT = 32 * 1024;

/** Where contents of new messages are that are in segments. */
export type Pieces = ReadonlyMap<NewMessage, Piece>;
const NO_PIECES: Pieces = new Map();
const NONE: readonly Piece[] = [];

export class OutsideContents {
  #filed = new Set<string>();
  #pieces = new Map<string, Piece>();
  /** Pieces of commits that failed: a crash may leave messages that name them, until the next commit has taken those back. */
  #doubtful = new Set<Piece>();

  constructor(readonly files: ContentFiles, readonly segments: Segments, readonly read: Rows) {}

  /** At a start: makes its directories, and removes what no message names. */
  prepare(): void {
    this.files.prepare();
    this.segments.prepare();
    let orphans = this.files.sweep((queueId) => this.#isFiled(queueId));
    if (this.#adopt()) orphans += this.segments.sweep();
    else this.segments.keepAll();
    if (orphans) warning(`queue: removed ${orphans} files of contents that no message names`);
  }

  /** Where the content of a message is; undefined when there is no such message. */
  placeOf(queueId: string): string | undefined {
    const sql = "SELECT place FROM messages WHERE queue_id = ?";
    try {
      return this.read<{ place: string }>(sql, queueId)[0]?.place;
    } catch (error) {
      if (!isOfOnePart(error)) throw error;
      return "damaged";
    }
  }

  spool(queueId: string, source: Chunks): Promise<ContentFile> {
    return spoolContent(queueId, source, this.files);
  }

  discard(content: Kept): void {
    if (content instanceof ContentFile) this.#removeFile(content.queueId);
  }

  /** Writes what belongs into segments, if anything does, and syncs it; throws StorageError. */
  write(added: readonly NewMessage[]): Pieces | Promise<Pieces> {
    const longer = added.flatMap((message) => {
      const { envelope: { queueId }, content } = message;
      const isLonger = content instanceof Uint8Array && content.length > MAX_DATABASE_CONTENT;
      return isLonger ? [{ message, named: [queueId, content] as const }] : [];
    });
    if (!longer.length) return NO_PIECES;
    return this.segments.write(longer.map(({ named }) => named)).then((pieces) =>
      new Map(longer.map(({ message }, i) => [message, pieces[i]!]))
    );
  }

  /** A new message is in the queue. */
  own({ envelope: { queueId }, content }: NewMessage, piece: Piece | undefined): void {
    if (piece) this.#pieces.set(queueId, piece);
    else if (content instanceof ContentFile) this.#filed.add(queueId);
  }

  has(queueId: string): boolean {
    return this.#filed.has(queueId) || this.#pieces.has(queueId);
  }

  /** The message is gone, which is durable. */
  drop(queueId: string): void {
    if (this.#filed.has(queueId)) this.#removeFile(queueId);
    const piece = this.#pieces.get(queueId);
    if (piece) this.moved(piece);
  }

  /** The message has its content elsewhere now, which is durable. */
  moved(piece: Piece): void {
    // It may have gone meanwhile.
    if (this.#pieces.get(piece.queueId) !== piece) return;
    this.#pieces.delete(piece.queueId);
    this.segments.release(piece);
  }

  /** A commit has succeeded: what no message has got of these is free. */
  settle(pieces: Pieces): void {
    for (const piece of pieces.values()) {
      if (this.#pieces.get(piece.queueId) !== piece) this.segments.release(piece);
    }
  }

  /** A commit has failed. */
  doubt(pieces: Pieces): void {
    for (const piece of pieces.values()) {
      if (this.#pieces.get(piece.queueId) === piece) this.#pieces.delete(piece.queueId);
      this.#doubtful.add(piece);
    }
  }

  /** What is doubtful now; a commit that begins after this, and succeeds, frees it. */
  get doubtful(): readonly Piece[] {
    return this.#doubtful.size ? [...this.#doubtful] : NONE;
  }

  free(pieces: readonly Piece[]): void {
    for (const piece of pieces) if (this.#doubtful.delete(piece)) this.segments.release(piece);
  }

  /** Has `takeOver` bring to the database what is left in a segment that is hardly used; answers what it brought there. */
  thinOut(takeOver: (piece: Piece, bytes: Uint8Array) => void): Piece[] {
    return this.segments.sparse().filter((piece) => {
      try {
        takeOver(piece, readPiece(this.segments.directory, piece));
        return true;
      } catch (error) {
        // It stays where it is for now.
        if (!(error instanceof StorageError)) throw error;
        return false;
      }
    });
  }

  /** Gives back the space that no message needs. */
  clear(): void {
    this.files.clear();
    this.segments.clear();
  }

  #isFiled(queueId: string): boolean {
    const place = this.placeOf(queueId);
    const isFiled = place !== undefined && place !== "database" && place !== "segment";
    if (isFiled) this.#filed.add(queueId);
    return isFiled;
  }

  /** Takes over the pieces that messages name; false when not all of them can be read. */
  #adopt(): boolean {
    // What no segment can be is no reason not to start: whoever wants that content hears that it is damaged.
    const sql = `SELECT queue_id AS queueId, segment, at, size FROM pieces
      JOIN messages ON id = message
      WHERE ${SOUND_PIECE} AND size <= ${MAX_SEGMENT}`;
    try {
      for (const piece of this.read<Piece>(sql)) {
        this.#pieces.set(piece.queueId, piece);
        this.segments.adopt(piece);
      }
      return true;
    } catch (error) {
      if (!isOfOnePart(error)) throw error;
      warning(`queue: damaged: segments of contents are kept until it is mended`);
      return false;
    }
  }

  #removeFile(queueId: string): void {
    this.#filed.delete(queueId);
    this.files.remove(queueId);
  }
}
