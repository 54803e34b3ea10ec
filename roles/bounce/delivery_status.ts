/** The part of a report that programs read: message/delivery-status (RFC 3464 2, RFC 6533 3). */

import { isAscii } from "../../shared/bytes.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { external } from "../../shared/mail/address.ts";
import { mailDate } from "../../shared/mail/date.ts";
import type { Report } from "../../shared/protocols/bounce.ts";
import { fitsLine, fold } from "./fold.ts";
import { reasonOf, type Reporter } from "./notice.ts";

type Recipient = Report["recipients"][number];

/** The fields of the message, then those of each recipient; CRLF text, ASCII unless the report is for SMTPUTF8. */
export function deliveryStatus(report: Report, reporter: Reporter): string {
  const { envelope, recipients } = report;
  const token = tokenOf(reporter);
  const utf8 = envelope.smtputf8;
  const ofMessage = lines([
    `Reporting-MTA: dns; ${reporter.myhostname}`,
    envelope.envid && `Original-Envelope-Id: ${fromXtext(envelope.envid)}`,
    `X-${token}-Queue-ID: ${envelope.queueId}`,
    envelope.sender && `X-${token}-Sender: ${typed(envelope.sender, utf8)}`,
    `Arrival-Date: ${mailDate(envelope.arrived)}`,
  ], utf8);
  return ofMessage + recipients.map((each) => recipientStatus(each, report, reporter)).join("");
}

/** What is said of one recipient. */
export function recipientStatus(recipient: Recipient, report: Report, reporter: Reporter): string {
  const { outcome, address, original, orcpt } = recipient;
  const utf8 = report.envelope.smtputf8;
  const token = tokenOf(reporter);
  const what = action(report, recipient);
  // As the client's ORCPT would be.
  const from = orcpt ? fromXtext(orcpt) : original && typed(original, utf8, ";");
  return "\r\n" + lines([
    finalRecipient(address, utf8),
    from && `Original-Recipient: ${from}`,
    `Action: ${what}`,
    `Status: ${outcome.dsn}`,
    outcome.remoteMta && withoutControls(`Remote-MTA: dns; ${outcome.remoteMta}`),
    fold(withoutControls(
      outcome.diagnostic
        ? `Diagnostic-Code: smtp; ${outcome.diagnostic}`
        : `Diagnostic-Code: X-${token}; ${reasonOf(report, outcome)}`,
    )),
    what === "delayed" && report.retryUntil
      ? `Will-Retry-Until: ${mailDate(report.retryUntil)}`
      : "",
  ], utf8);
}

/**
 * Fields as they are: a name or an address that was folded, or lost a space, would be another one. Empty ones are left out,
 * and those that no line takes.
 */
function lines(fields: readonly string[], utf8: boolean): string {
  return fields.map((field) => utf8 ? field : field.replace(/[^\0-\x7f]/gu, "?"))
    .filter((field) => field && field.split("\r\n").every(fitsLine))
    .map((field) => `${field}\r\n`).join("");
}

/** The field that each recipient has to have; an address that fits no line is only in words. */
function finalRecipient(address: string, utf8: boolean): string {
  const field = `Final-Recipient: ${typed(address, utf8)}`;
  return fitsLine(field) ? field : "Final-Recipient: rfc822; undisclosed-recipients:;";
}

/** The name of this system, as fields and types of its own begin with it. */
function tokenOf({ mailName }: Reporter): string {
  return mailName.replace(/[^A-Za-z0-9-]+/g, "-") || "Postern";
}

/** RFC 3464 2.3.3; deliverable and undeliverable are Postfix's. */
function action({ kind, retryUntil }: Report, { outcome }: Recipient): string {
  if (kind === "failure") return "failed";
  if (kind === "delay") return "delayed";
  const { status, success } = outcome;
  switch (kind === "trace" ? status : "sent") {
    case "bounced":
      return "failed";
    case "deferred":
      return retryUntil ? "delayed" : "failed";
    case "sent":
      if (success === "expanded") return success;
      return success === "relayed" || success === "passed" ? "relayed" : "delivered";
  }
  return status;
}

/**
 * An address with its type. What is not for people's eyes is written in ASCII, and all beyond ASCII is where nothing else is
 * allowed (RFC 6533 3).
 */
function typed(address: string, utf8: boolean, separator = "; "): string {
  const text = external(address);
  if (isAscii(text)) return `rfc822${separator}${text}`;
  const escaped = text.replace(/[^!-~]|\\/gu, (char) => {
    if (utf8 && char !== "\\" && withoutControls(char) === char) return char;
    const code = char.codePointAt(0)!.toString(16).toUpperCase();
    return `\\x{${code.padStart(2, "0")}}`;
  });
  return `utf-8${separator}${escaped}`;
}

/** xtext (RFC 3461 4) as what it stands for; controls must reach no header. */
function fromXtext(text: string): string {
  return withoutControls(
    text.replace(/\+([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16))),
  );
}
