/** What a batch does to the rows of messages, their recipients, contents and pieces; the states are at the top of `sqlite_store.ts`. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Outcome, Recipient } from "../mail/envelope.ts";
import { TRACED, WARNED } from "./record.ts";
import type { Piece } from "./segments.ts";
import type { Move, NewMessage } from "./store.ts";

/** What became of an alias that was expanded, without its number. */
const EXPANDED: Omit<Outcome, "n"> = {
  status: "sent",
  dsn: "2.0.0",
  text: "alias expanded",
  remoteMta: "",
  diagnostic: "",
  success: "expanded",
};

/** The caller has a transaction open, and makes errors of SQLite its own. */
export class MailRows {
  #add: StatementSync;
  #addRecipient: StatementSync;
  #addContent: StatementSync;
  #addPiece: StatementSync;
  #removePiece: StatementSync;
  #setPlace: StatementSync;
  #find: StatementSync;
  #setOutcome: StatementSync;
  #setDone: StatementSync;
  #move: StatementSync;
  #remove: StatementSync;

  constructor(db: DatabaseSync) {
    this.#add = db.prepare(
      `INSERT INTO messages (queue_id, queue, next_try, size, recipients, place, envelope)
       VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (queue_id) DO NOTHING`,
    );
    this.#addRecipient = db.prepare(
      `INSERT INTO recipients (message, n, state, address, original, orcpt, notify, outcome)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#addContent = db.prepare("INSERT INTO contents (message, bytes) VALUES (?, ?)");
    this.#addPiece = db.prepare("INSERT INTO pieces (message, segment, at) VALUES (?, ?, ?)");
    this.#removePiece = db.prepare(
      "DELETE FROM pieces WHERE message = ? AND segment = ? AND at = ?",
    );
    this.#setPlace = db.prepare("UPDATE messages SET place = 'database' WHERE id = ?");
    this.#find = db.prepare("SELECT id FROM messages WHERE queue_id = ?");
    this.#setOutcome = db.prepare(
      `UPDATE recipients SET state = ?, outcome = ?
       WHERE message = ? AND n = ? AND state IN ('todo', 'deferred')`,
    );
    this.#setDone = db.prepare(
      "UPDATE recipients SET state = 'done' WHERE message = ? AND n = ?",
    );
    this.#move = db.prepare(
      "UPDATE messages SET queue = ?, next_try = ?, warned = warned | ? WHERE queue_id = ?",
    );
    // Recipients and content go with it.
    this.#remove = db.prepare("DELETE FROM messages WHERE queue_id = ?");
  }

  /** (none) -> incoming or active, with `piece` if its content is in a segment; false when the queue id is taken. */
  add(message: NewMessage, piece: Piece | undefined): boolean {
    const { envelope, recipients, expanded = [], head, content, queue } = message;
    const atHand = content instanceof Uint8Array ? content : head;
    const size = (atHand?.length ?? 0) + (content instanceof Uint8Array ? 0 : content.size);
    const { changes, lastInsertRowid: id } = this.#add.run(
      envelope.queueId,
      queue,
      envelope.arrived,
      size,
      recipients.length,
      piece ? "segment" : placeOf(message),
      JSON.stringify(envelope),
    );
    if (!changes) return false;
    if (piece) this.#addPiece.run(id, piece.segment, piece.at);
    else if (atHand) this.#addContent.run(id, atHand);
    for (let n = 0; n < recipients.length; n++) this.#addOne(id, n, recipients[n]!);
    for (const [i, alias] of expanded.entries()) {
      const n = recipients.length + i;
      this.#addOne(id, n, alias, { ...EXPANDED, n });
    }
    return true;
  }

  /** todo, deferred -> deferred, bounced, sent, verified. */
  record(queueId: string, outcomes: readonly Outcome[]): void {
    const id = this.#idOf(queueId);
    if (id === undefined) return;
    for (const outcome of outcomes) {
      this.#setOutcome.run(outcome.status, JSON.stringify(outcome), id, outcome.n);
    }
  }

  /** bounced, sent -> done; deferred too, for mail that has expired. */
  reported(queueId: string, recipients: readonly number[]): void {
    const id = this.#idOf(queueId);
    if (id === undefined) return;
    for (const n of recipients) this.#setDone.run(id, n);
  }

  move({ queueId, queue, nextTry, warned, traced }: Move): void {
    const told = (warned ? WARNED : 0) | (traced ? TRACED : 0);
    this.#move.run(queue, nextTry, told, queueId);
  }

  /** Takes a content over that was in a segment. */
  takeOver({ queueId, segment, at }: Piece, bytes: Uint8Array): void {
    const id = this.#idOf(queueId);
    // It may be gone by now.
    if (id === undefined || !this.#removePiece.run(id, segment, at).changes) return;
    this.#addContent.run(id, bytes);
    this.#setPlace.run(id);
  }

  /** Any -> removed. */
  remove(queueId: string): void {
    this.#remove.run(queueId);
  }

  /** todo, or what its outcome says. */
  #addOne(id: number | bigint, n: number, recipient: Recipient, outcome?: Outcome): void {
    const { address, original, orcpt, notify } = recipient;
    const state = outcome?.status ?? "todo", known = outcome ? JSON.stringify(outcome) : null;
    this.#addRecipient.run(id, n, state, address, original, orcpt, notify.join(","), known);
  }

  #idOf(queueId: string): number | undefined {
    return (this.#find.get(queueId) as { id: number } | undefined)?.id;
  }
}

function placeOf({ content, head }: NewMessage): string {
  if (content instanceof Uint8Array) return "database";
  return head ? "both" : "file";
}
