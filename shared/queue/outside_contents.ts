/** Contents that are not in the database, and whose they are: files of their own, and pieces of the log. */

import { StorageError } from "../errors.ts";
import { warning } from "../log/log.ts";
import type { ContentFiles } from "./content_files.ts";
import { type ContentLog, type Piece, readPiece } from "./content_log.ts";
import type { Rows } from "./due.ts";
import { type Chunks, ContentFile, spoolContent } from "./kept_content.ts";
import { isOfOnePart, type Kept, type NewMessage } from "./store.ts";

/** Content above this goes to the log. Up to it a second sync costs more than what the database writes twice. */
const DATABASE_BYTES = 32 * 1024;

/** Where contents of new messages are that are in the log. */
export type Pieces = ReadonlyMap<NewMessage, Piece>;
const NO_PIECES: Pieces = new Map();

export class OutsideContents {
  #filed = new Set<string>();
  #logged = new Map<string, Piece>();

  constructor(readonly files: ContentFiles, readonly log: ContentLog, readonly read: Rows) {}

  /** At a start: makes its directories, and removes what no message names. */
  prepare(): void {
    this.files.prepare();
    this.log.prepare();
    let orphans = this.files.sweep((queueId) => this.#isFiled(queueId));
    if (this.#adopt()) orphans += this.log.sweep();
    else this.log.keepAll();
    if (orphans) warning(`queue: removed ${orphans} content files that no message names`);
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

  /** Writes what belongs into the log, if anything does, and syncs it; throws StorageError. */
  write(added: readonly NewMessage[]): Pieces | Promise<Pieces> {
    const longer = added.flatMap((message) => {
      const { envelope: { queueId }, content } = message;
      const isLonger = content instanceof Uint8Array && content.length > DATABASE_BYTES;
      return isLonger ? [{ message, logged: [queueId, content] as const }] : [];
    });
    if (!longer.length) return NO_PIECES;
    return this.log.write(longer.map(({ logged }) => logged)).then((pieces) =>
      new Map(longer.map(({ message }, i) => [message, pieces[i]!]))
    );
  }

  /** A new message is in the queue. */
  own({ envelope: { queueId }, content }: NewMessage, piece: Piece | undefined): void {
    if (piece) this.#logged.set(queueId, piece);
    else if (content instanceof ContentFile) this.#filed.add(queueId);
  }

  has(queueId: string): boolean {
    return this.#filed.has(queueId) || this.#logged.has(queueId);
  }

  /** The message is gone, which is durable. */
  drop(queueId: string): void {
    if (this.#filed.has(queueId)) this.#removeFile(queueId);
    const piece = this.#logged.get(queueId);
    if (piece) this.moved(piece);
  }

  /** The message has its content elsewhere now, which is durable. */
  moved(piece: Piece): void {
    // It may have gone meanwhile.
    if (this.#logged.get(piece.queueId) !== piece) return;
    this.#logged.delete(piece.queueId);
    this.log.release(piece);
  }

  /** No new message has come of this, or nobody knows. */
  abandon(piece: Piece): void {
    if (this.#logged.get(piece.queueId) === piece) this.#logged.delete(piece.queueId);
    this.log.abandon(piece);
  }

  /** Has `takeOver` bring to the database what is left in a segment that is hardly used; answers what it brought there. */
  thinOut(takeOver: (queueId: string, bytes: Uint8Array) => void): Piece[] {
    return this.log.sparse().filter((piece) => {
      try {
        takeOver(piece.queueId, readPiece(this.log.directory, piece));
        return true;
      } catch (error) {
        // It stays where it is.
        if (!(error instanceof StorageError)) throw error;
        return false;
      }
    });
  }

  /** Gives back the space that no message needs. */
  clear(): void {
    this.files.clear();
    this.log.clear();
  }

  #isFiled(queueId: string): boolean {
    const place = this.placeOf(queueId);
    const isFiled = place !== undefined && place !== "database" && place !== "log";
    if (isFiled) this.#filed.add(queueId);
    return isFiled;
  }

  /** Takes over the pieces that messages name; false when not all of them can be read. */
  #adopt(): boolean {
    const sql =
      "SELECT queue_id AS queueId, segment, at, size FROM logged JOIN messages ON id = message";
    try {
      for (const piece of this.read<Piece>(sql)) {
        this.#logged.set(piece.queueId, piece);
        this.log.adopt(piece);
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
