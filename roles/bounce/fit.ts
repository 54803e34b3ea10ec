/** What one message takes: of a report on many recipients the first ones, of a large original only a part. */

import { utf8Bytes } from "../../shared/bytes.ts";
import { recipientStatus } from "./delivery_status.ts";
import { paragraph } from "./notice.ts";
import { lessAndLess, type Original } from "./original.ts";
import { type Parts, type ReportMessage, reportMessage } from "./report_message.ts";

/** What declares text beyond ASCII, which the first recipient need not have. */
const DECLARATIONS_BYTES = 100;

/**
 * The report on as many of the recipients, from the first on, as fit into `limit` bytes with what it quotes. If not even one
 * does, less is quoted; with nothing quoted it is made whatever the limit.
 */
export function fit(parts: Parts, limit: number): ReportMessage {
  const { recipients } = parts.report;
  const make = (count: number, original: Original) => {
    const report = { ...parts.report, recipients: recipients.slice(0, count) };
    return reportMessage({ ...parts, report, original });
  };
  let alone!: ReportMessage;
  for (const original of lessAndLess(parts.original)) {
    alone = make(1, original);
    if (alone.bytes.length <= limit) break;
  }
  const more = howManyMore(parts, limit - alone.bytes.length - DECLARATIONS_BYTES);
  return more ? make(1 + more, alone.parts.original) : alone;
}

/** How many of the recipients after the first fit into so many bytes. */
function howManyMore({ report, reporter }: Parts, room: number): number {
  const others = report.recipients.slice(1);
  for (const [count, recipient] of others.entries()) {
    const text = paragraph(report, recipient) + recipientStatus(recipient, report, reporter);
    room -= utf8Bytes(text).length;
    if (room < 0) return count;
  }
  return others.length;
}
