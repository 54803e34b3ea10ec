/** The queue's listing for people, as mailq prints it, and for programs, as JSON lines (reference 9.6). */

import { DAYS, MONTHS } from "../../shared/calendar.ts";
import { external } from "../../shared/mail/address.ts";
import { printable, printableJson } from "../../shared/log/printable.ts";
import type { Listed } from "../../shared/protocols/queue.ts";

export const EMPTY = "Mail queue is empty\n";
const HEADER = "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n";
/** The first column, and the first two with the space between. */
const ID_WIDTH = 17, ID_AND_SIZE_WIDTH = 26;
/** Reasons end in this column, recipients start after the other one. */
const REASON_WIDTH = 78;
const RECIPIENT_INDENT = " ".repeat(47);

const MARKS: Partial<Record<Waiting["queue_name"], string>> = { active: "*", hold: "!" };

type Recipients = Listed["recipients"];

/** A message of the queue, or one that pickup has not taken yet. */
export type Waiting = Omit<Listed, "queue_name" | "sender"> & {
  readonly queue_name: Listed["queue_name"] | "maildrop";
  /** Undefined where the file in the maildrop cannot be read; the reason says why. */
  readonly sender: string | undefined;
  readonly reason?: string;
};

/** Text for mailq, piece by piece. */
export async function* mailqText(messages: AsyncIterable<Waiting>): AsyncGenerator<string> {
  let last = "", count = 0, bytes = 0;
  for await (const message of messages) {
    if (message.queue_id !== last) {
      yield count++ ? "\n" : HEADER;
      bytes += message.message_size;
      last = message.queue_id;
      yield row(message);
      if (message.reason) yield reasonLine(message.reason);
    }
    yield recipientLines(message.recipients);
  }
  if (!count) return yield EMPTY;
  const kilobytes = Math.floor(bytes / 1024);
  yield `\n-- ${kilobytes} Kbytes in ${count} Request${count === 1 ? "" : "s"}.\n`;
}

function row(message: Waiting): string {
  const mark = message.forced_expire ? "#" : MARKS[message.queue_name] ?? "";
  const id = (message.queue_id + mark).padEnd(ID_WIDTH);
  // Our ids are longer than Postfix's: the room before the size keeps what follows in its columns.
  const size = String(message.message_size).padStart(ID_AND_SIZE_WIDTH - id.length - 1);
  return `${id} ${size} ${arrival(message.arrival_time)} ${senderText(message)}\n`;
}

function senderText({ sender }: Waiting): string {
  if (sender === undefined) return "(cannot be read)";
  return printable(external(sender)) || "MAILER-DAEMON";
}

/** Each recipient, and above it why it waits, when that is not what the one before it waits for. */
function recipientLines(recipients: Recipients): string {
  let text = "", reason = "";
  for (const { address, delay_reason, bounce_reason, other_reason } of recipients) {
    const own = delay_reason ?? bounce_reason ?? other_reason ?? "";
    if (own && own !== reason) text += reasonLine(own);
    reason = own;
    text += `${RECIPIENT_INDENT}${printable(external(address))}\n`;
  }
  return text;
}

function reasonLine(text: string): string {
  return `(${printable(text)})`.padStart(REASON_WIDTH) + "\n";
}

/** `Sat Nov 21 01:56:39` in local time, from seconds since the epoch. */
export function arrival(seconds: number): string {
  const date = new Date(seconds * 1000);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((value) => String(value).padStart(2, "0")).join(":");
  const day = String(date.getDate()).padStart(2);
  return `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${day} ${clock}`;
}

/** One JSON object a line, spaced as Postfix spaces it. */
export async function* jsonLines(messages: AsyncIterable<Waiting>): AsyncGenerator<string> {
  let last = "";
  for await (const message of messages) {
    const { queue_name, queue_id, arrival_time, message_size, forced_expire } = message;
    const items = message.recipients.map(recipientJson).join(", ");
    if (message.queue_id === last) yield (items && `, ${items}`);
    else {
      const sender = message.sender === undefined
        ? ""
        : external(message.sender) || "MAILER-DAEMON";
      const why = message.reason === undefined ? {} : { delay_reason: message.reason };
      const head = {
        ...{ queue_name, queue_id, arrival_time, message_size, forced_expire, sender },
        ...why,
      };
      yield `${last && "]}\n"}${object(head).slice(0, -1)}, "recipients": [${items}`;
      last = message.queue_id;
    }
  }
  if (last) yield "]}\n";
}

function recipientJson({ address, orig_address, ...reasons }: Recipients[number]): string {
  return object({
    ...(orig_address === undefined ? {} : { orig_address: external(orig_address) }),
    address: external(address),
    ...reasons,
  });
}

function object(value: Record<string, unknown>): string {
  const fields = Object.entries(value).map(([name, each]) =>
    `${JSON.stringify(name)}: ${printableJson(each)}`
  );
  return `{${fields.join(", ")}}`;
}
