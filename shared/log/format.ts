/** One log event as a line: Postfix's text form (reference 9) or a JSON object. */

import { MONTHS } from "../calendar.ts";
import type { Severity } from "./log.ts";
import { withoutControls } from "./printable.ts";

export interface Origin {
  /** `postfix/smtpd`. */
  readonly process: string;
  readonly pid: number;
  readonly hostname: string;
}

/** `Nov 21 01:02:03 host postfix/smtpd[42]: text`; the day is padded with a space. */
export function formatText(origin: Origin, severity: Severity, text: string): string {
  const word = severity === "info" ? "" : `${severity}: `;
  return `${
    timestamp(Date.now())
  } ${origin.hostname} ${origin.process}[${origin.pid}]: ${word}${text}`;
}

/** The same event as one JSON object. */
export function formatJson(
  origin: Origin,
  severity: Severity,
  text: string,
  fields?: Readonly<Record<string, unknown>>,
): string {
  const time = new Date().toISOString();
  const { process, pid, hostname } = origin;
  const event = { time, hostname, process, pid, severity, text };
  // Fields come with an event, they do not replace what is known of it.
  const line = fields && withoutControls(JSON.stringify({ ...event, ...fields, ...event }));
  return line && line.length <= MAX_LINE ? line : JSON.stringify(event);
}

/** Longer lines are not taken by postlogd; the text alone is within it, however it is escaped. */
const MAX_LINE = 5000;

let lastSecond = -1;
let lastStamp = "";

/** `Nov 21 01:02:03` in local time; made once a second. */
export function timestamp(now: number): string {
  const second = Math.floor(now / 1000);
  if (second === lastSecond) return lastStamp;
  lastSecond = second;
  const date = new Date(now);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = String(date.getDate()).padStart(2, " ");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return (lastStamp = `${MONTHS[date.getMonth()]} ${day} ${clock}`);
}
