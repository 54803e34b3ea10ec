/** The part of a report that people read. The first line is Postfix's: programs look for it. */

import { withoutControls } from "../../shared/log/printable.ts";
import { external } from "../../shared/mail/address.ts";
import type { Outcome } from "../../shared/mail/envelope.ts";
import { isVerified } from "../../shared/mail/verify.ts";
import type { Report } from "../../shared/protocols/bounce.ts";
import { fold } from "./fold.ts";

/** Who a report is for: the sender of the message, or the postmaster here. */
export type Reader = "sender" | "postmaster";

/** Who reports. */
export interface Reporter {
  readonly myhostname: string;
  readonly mailName: string;
  /** Seconds. */
  readonly delayWarningTime: number;
}

const SUBJECTS: Record<Reader, Record<Report["kind"], string>> = {
  sender: {
    failure: "Undelivered Mail Returned to Sender",
    delay: "Delayed Mail (still being retried)",
    success: "Successful Mail Delivery Report",
    trace: "Mail Delivery Status Report",
  },
  postmaster: {
    failure: "Postmaster Copy: Undelivered Mail",
    delay: "Postmaster Warning: Delayed Mail",
    success: "Postmaster Copy: Successful Mail Delivery Report",
    trace: "Postmaster Copy: Mail Delivery Status Report",
  },
};

/** The subject of a report. */
export function subject(kind: Report["kind"], reader: Reader): string {
  return SUBJECTS[reader][kind];
}

const HELP = `For help, write to postmaster and include this report. The attached
text of your message is not needed for that.`;

const WORDING: Record<Report["kind"], (report: Report, reporter: Reporter) => string> = {
  failure: () =>
    `Your message could not be delivered to the recipients below, and it will
not be tried again. The message, or its headers, are attached.

${HELP}`,
  // Programs tell a delay from a failure by the box.
  delay: ({ retryUntil, envelope }, { delayWarningTime }) =>
    `####################################################################
# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #
####################################################################

Your message could not be delivered for more than ${span(delayWarningTime, "hour")}.${
      retryUntil ? `\nIt will be retried until it is ${lifetime(retryUntil, envelope)} old.` : ""
    }

${HELP}`,
  success: () =>
    `Your message was delivered to the recipients below, as you asked to be
told. Where a remote system took it that does not send such reports,
this is the last that you hear of it.`,
  trace: ({ envelope }) =>
    isVerified(envelope)
      ? `This is the mail delivery report that you asked for. Each recipient was
looked at as if there were mail for it; nothing was delivered.`
      : `This is the mail delivery report that you asked for: what came of the
first attempt. Recipients that are delayed are tried again.`,
};

/** Why; and where, in the reports that somebody asked for to see how mail goes. */
export function reasonOf({ kind }: Report, { relay, text }: Outcome): string {
  const asked = kind === "trace" || kind === "success";
  return asked && relay ? `delivery via ${relay}: ${text}` : text;
}

const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]] as const;

/** `4 hour(s)`: in the largest unit that tells all of it, and none above this one. */
function span(seconds: number, largest: "day" | "hour"): string {
  const units = largest === "day" ? UNITS : UNITS.slice(1);
  const whole = Math.round(seconds);
  const [unit, length] = units.find(([, length]) => whole % length === 0) ?? ["second", 1];
  return `${whole / length} ${unit}(s)`;
}

function lifetime(until: number, { arrived }: Report["envelope"]): string {
  return span((until - arrived) / 1000, "day");
}

/** CRLF text: what happened, then one paragraph for each recipient. */
export function notice(report: Report, reporter: Reporter): string {
  const head = `This is the mail system at host ${reporter.myhostname}.

${WORDING[report.kind](report, reporter)}

                   The mail system
`.replaceAll("\n", "\r\n");
  return head + report.recipients.map((recipient) => paragraph(report, recipient)).join("");
}

/** What is said of one recipient. */
export function paragraph(
  report: Report,
  { address, original, outcome }: Report["recipients"][number],
): string {
  const from = original && original !== address ? ` (expanded from <${external(original)}>)` : "";
  const text = withoutControls(`<${external(address)}>${from}: ${reasonOf(report, outcome)}`);
  return `\r\n${fold(text)}\r\n`;
}
