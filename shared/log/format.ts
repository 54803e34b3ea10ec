/** One log event as a line: Postfix's text form (reference 9) or a JSON object. */

import type { Severity } from "./log.ts";

export interface Origin {
  /** `postfix/smtpd`. */
  readonly process: string;
  readonly pid: number;
  readonly hostname: string;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

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
  return JSON.stringify({ time, ...origin, severity, text, ...fields });
}

let lastSecond = -1;
let lastStamp = "";

/** `Nov 21 01:02:03` in local time; made once a second. */
function timestamp(now: number): string {
  const second = Math.floor(now / 1000);
  if (second === lastSecond) return lastStamp;
  lastSecond = second;
  const date = new Date(now);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = String(date.getDate()).padStart(2, " ");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return (lastStamp = `${MONTHS[date.getMonth()]} ${day} ${clock}`);
}
