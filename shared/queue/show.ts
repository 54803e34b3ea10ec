/** What is shown of the queue: for showq, and for commands that read it themselves while the system is down. */

import type { Sendable } from "../ipc/content.ts";
import { MAX_RECIPIENTS } from "../mail/envelope.ts";
import type { Listed } from "../protocols/queue.ts";
import {
  DamagedRecord,
  type QueuedMessage,
  type QueueReader,
  type StoredRecipient,
} from "./store.ts";

/** A message with more recipients takes several lines of the listing, one after the other. */
const RECIPIENTS_PER_LINE = 1000;
/** The longest line: so many recipients, their reasons escaped. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;
/** Lines are joined up to about this. */
const STEP_CHARS = 32 * 1024;
/** Recipients are read in steps of this. */
const RECIPIENT_PAGE = 5000;

const encoder = new TextEncoder();

/** The listing as showq answers it: one JSON `Listed` a line. */
export async function* listingBytes(messages: AsyncIterable<Listed>): AsyncGenerator<Uint8Array> {
  let text = "";
  for await (const message of messages) {
    for (const part of parts(message)) {
      text += JSON.stringify(part) + "\n";
      if (text.length < STEP_CHARS) continue;
      yield encoder.encode(text);
      text = "";
    }
  }
  if (text) yield encoder.encode(text);
}

function* parts(message: Listed): Generator<Listed> {
  const { recipients } = message;
  if (recipients.length <= RECIPIENTS_PER_LINE) return yield message;
  for (let at = 0; at < recipients.length; at += RECIPIENTS_PER_LINE) {
    yield { ...message, recipients: recipients.slice(at, at + RECIPIENTS_PER_LINE) };
  }
}

/** One message: all that the store has of it. */
export interface Shown {
  readonly message: QueuedMessage;
  readonly recipients: StoredRecipient[];
  /** Empty when it is damaged. */
  readonly content: Sendable;
}

/** Reads one message; undefined when there is none of this id. Throws StorageError when it cannot be read. */
export async function showMessage(
  reader: QueueReader,
  queueId: string,
): Promise<Shown | undefined> {
  const message = await reader.find(queueId);
  if (!message) return undefined;
  const recipients: StoredRecipient[] = [];
  for (let from = 0; recipients.length < MAX_RECIPIENTS;) {
    const page = await reader.recipients(queueId, [], from, RECIPIENT_PAGE);
    for (const recipient of page) recipients.push(recipient);
    if (page.length < RECIPIENT_PAGE) break;
    from = page.at(-1)!.n + 1;
  }
  return { message, recipients, content: await contentOf(reader, queueId) };
}

async function contentOf(reader: QueueReader, queueId: string): Promise<Sendable> {
  try {
    return await reader.content(queueId);
  } catch (error) {
    if (!(error instanceof DamagedRecord)) throw error;
    return new Uint8Array(0);
  }
}
