/** Rows as values: what comes back from the disk is checked like a message from a peer. */

import { Compile } from "typebox/schema";
import { Envelope, Outcome, Recipient } from "../mail/envelope.ts";
import {
  DamagedRecord,
  type QueuedMessage,
  type QueueName,
  type RecipientState,
  type StoredRecipient,
} from "./store.ts";

/** A row of `messages`. */
export interface MessageRow {
  readonly id: number;
  readonly queue_id: string;
  readonly queue: QueueName;
  readonly next_try: number;
  readonly warned: number;
  readonly size: number;
  readonly recipients: number;
  readonly place: "database" | "file" | "both" | "segment";
  readonly envelope: string;
}

/** A row of `recipients`. */
export interface RecipientRow {
  readonly n: number;
  readonly state: RecipientState;
  readonly address: string;
  readonly original: string;
  readonly orcpt: string;
  readonly notify: string;
  readonly outcome: string | null;
}

/** The bits of `messages.warned`. */
export const WARNED = 1;
export const TRACED = 2;

const envelopeCheck = Compile(Envelope);
const recipientCheck = Compile(Recipient);
const outcomeCheck = Compile(Outcome);

/** The message in a row; throws DamagedRecord. */
export function messageOf(row: MessageRow): QueuedMessage {
  const envelope = parse(row.envelope, `${row.queue_id}: envelope`);
  if (!envelopeCheck.Check(envelope) || envelope.queueId !== row.queue_id) {
    throw new DamagedRecord(`${row.queue_id}: envelope: not of the declared shape`);
  }
  return {
    envelope,
    queue: row.queue,
    size: row.size,
    recipientCount: row.recipients,
    nextTry: row.next_try,
    warned: (row.warned & WARNED) !== 0,
    traced: (row.warned & TRACED) !== 0,
  };
}

/** The recipient in a row; throws DamagedRecord. */
export function recipientOf(queueId: string, row: RecipientRow): StoredRecipient {
  const notify = (row.notify ? row.notify.split(",") : []) as Recipient["notify"];
  const { n, state, address, original, orcpt } = row;
  const outcome = row.outcome === null ? null : parse(row.outcome, `${queueId}: outcome`);
  if (
    !recipientCheck.Check({ address, original, orcpt, notify }) ||
    (outcome !== null && !outcomeCheck.Check(outcome))
  ) {
    throw new DamagedRecord(`${queueId}: recipient ${n}: not of the declared shape`);
  }
  return { n, state, address, original, orcpt, notify, outcome };
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new DamagedRecord(`${what}: not JSON`);
  }
}
