/** One log event as a line: Postfix's text form (reference 9) or a JSON object. */

import { MONTHS } from "../calendar.ts";
import type { Severity } from "./log.ts";
import { withoutControls } from "./printable.ts";
import { type Said, severityOf, type Spoken, timeOf } from "./said.ts";

export interface Origin {
  /** `postfix/smtpd`. */
  readonly process: string;
  readonly pid: number;
  readonly hostname: string;
}

/** A longer line does without its fields; the text alone is within it, however it is escaped. */
const MAX_LINE = 5000;

/** One of the two forms; `time` is milliseconds since the epoch. */
export type Format = (
  origin: Origin,
  severity: Severity,
  text: string,
  fields?: Readonly<Record<string, unknown>>,
  time?: number,
) => string;

/** `Nov 21 01:02:03 host postfix/smtpd[42]: text`; the day is padded with a space. */
export function formatText(
  origin: Origin,
  severity: Severity,
  text: string,
  _fields?: unknown,
  time = Date.now(),
): string {
  const word = severity === "info" ? "" : `${severity}: `;
  return `${timestamp(time)} ${origin.hostname} ${origin.process}[${origin.pid}]: ${word}${text}`;
}

/** The same event as one JSON object. */
export function formatJson(
  origin: Origin,
  severity: Severity,
  text: string,
  fields?: Readonly<Record<string, unknown>>,
  time = Date.now(),
): string {
  const { process, pid, hostname } = origin;
  const event = { time: new Date(time).toISOString(), hostname, process, pid, severity, text };
  // Fields come with an event, they do not replace what is known of it.
  const line = fields && withoutControls(JSON.stringify({ ...event, ...fields, ...event }));
  return line && line.length <= MAX_LINE ? line : JSON.stringify(event);
}

/** What somebody said, as lines of the log: who it was, and nothing else, is believed of `origin` alone. */
export function finished(spoken: Spoken, origin: Origin, format: Format): Said {
  const { lines, fields, since, after } = spoken;
  const whole = lines.map((text, n) => {
    const time = Math.floor(timeOf(spoken, n) / 1000);
    const more = fields[n] ? fieldsOf(fields[n]) : undefined;
    return format(origin, severityOf(spoken, n), withoutControls(text), more, time);
  });
  return { lines: whole, since, after };
}

/** An event's fields; undefined for what is no object in JSON. */
function fieldsOf(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

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
