/** A report as a message: multipart/report with notice, delivery status and original (RFC 6522, RFC 3464, RFC 6533). */

import { concat, isAscii } from "../../shared/bytes.ts";
import { external } from "../../shared/mail/address.ts";
import { mailDate } from "../../shared/mail/date.ts";
import type { Report } from "../../shared/protocols/bounce.ts";
import { fitsLine } from "./fold.ts";
import { notice, type Reader, type Reporter, subject } from "./notice.ts";
import type { Original } from "./original.ts";
import { deliveryStatus } from "./delivery_status.ts";

/** What a report is made of. */
export interface Parts {
  readonly report: Report;
  readonly original: Original;
  readonly reporter: Reporter;
  /** The report's own queue id. */
  readonly queueId: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Internal form. */
  readonly to: string;
  readonly reader: Reader;
}

/** A boundary is at most 70 characters (RFC 2046 5.1.1). */
const MAX_BOUNDARY = 70;

/** A report: CRLF text, whether it needs 8-bit, and what it is made of. */
export interface ReportMessage {
  readonly parts: Parts;
  readonly bytes: Uint8Array;
  readonly eightBit: boolean;
}

/** The message. Message-Id and the domain of From are cleanup's to add. */
export function reportMessage(parts: Parts): ReportMessage {
  const { report, original, reporter, queueId, now, to, reader } = parts;
  const encoder = new TextEncoder();
  const boundary = `${queueId}.${Math.floor(now / 1000)}/${reporter.myhostname}`
    .slice(0, MAX_BOUNDARY);
  const text = notice(report, reporter);
  const sections = [
    section(textType(text), "Notification", text),
    section(statusType(report), "Delivery report", deliveryStatus(report, reporter)),
    section(
      originalType(report, original),
      originalName(report, original),
      concat([encoder.encode(returnPath(report)), original.bytes]),
    ),
  ];
  const eightBit = sections.some((each) => each.eightBit) || !isAscii(to);
  const head = `Received: by ${reporter.myhostname} (${reporter.mailName})\r
\tid ${queueId}; ${mailDate(now)}\r
Date: ${mailDate(now)}\r
From: Mail Delivery System <MAILER-DAEMON>\r
Subject: ${subject(report.kind, reader)}\r
${addressed(to)}\r
Auto-Submitted: ${reader === "sender" ? "auto-replied" : "auto-generated"}\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=${reportType(report)};\r
\tboundary="${boundary}"\r
Content-Transfer-Encoding: ${eightBit ? "8bit" : "7bit"}\r
\r
This is a MIME-encapsulated message.\r
`;
  const separator = encoder.encode(`\r\n--${boundary}\r\n`);
  const bytes = concat([
    encoder.encode(head),
    ...sections.flatMap((each) => [separator, encoder.encode(each.head), each.body]),
    encoder.encode(`\r\n--${boundary}--\r\n`),
  ]);
  return { parts, bytes, eightBit };
}

/** The header that names the reader; no address is cut, and one that fits no line is left to the envelope. */
function addressed(to: string): string {
  const header = `To: ${external(to)}`;
  return fitsLine(header) ? header : "To: undisclosed-recipients:;";
}

/** What the message would have on top if it had been delivered (RFC 5321 4.4). */
function returnPath({ envelope }: Report): string {
  const header = `Return-Path: <${external(envelope.sender)}>`;
  return fitsLine(header) ? `${header}\r\n` : "";
}

interface Section {
  readonly head: string;
  readonly body: Uint8Array;
  readonly eightBit: boolean;
}

function section(type: string, description: string, content: string | Uint8Array): Section {
  const body = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const eightBit = !is7Bit(body);
  const encoding = eightBit ? "Content-Transfer-Encoding: 8bit\r\n" : "";
  const head = `Content-Description: ${description}\r\nContent-Type: ${type}\r\n${encoding}\r\n`;
  return { head, body, eightBit };
}

function is7Bit(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80);
}

function reportType({ envelope }: Report): string {
  return envelope.smtputf8 ? "global-delivery-status" : "delivery-status";
}

function statusType(report: Report): string {
  return `message/${reportType(report)}`;
}

function textType(text: string): string {
  return `text/plain; charset=${isAscii(text) ? "us-ascii" : "utf-8"}`;
}

function originalType({ envelope }: Report, { whole }: Original): string {
  if (envelope.smtputf8) return whole ? "message/global" : "message/global-headers";
  return whole ? "message/rfc822" : "text/rfc822-headers";
}

function originalName({ kind }: Report, { whole }: Original): string {
  const undelivered = kind === "failure" || kind === "delay";
  return `${undelivered ? "Undelivered " : ""}Message${whole ? "" : " Headers"}`;
}
