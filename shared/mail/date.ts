/** Dates as messages carry them: RFC 5322 3.3, in local time with a numeric zone and, as a comment, its name where it has one. */

import { DAYS, MONTHS } from "../calendar.ts";

let lastSecond = NaN;
let lastDate = "";

/** `Mon, 06 Jul 2026 10:00:00 +0200 (CEST)`, from milliseconds since the epoch; made once a second. */
export function mailDate(milliseconds: number): string {
  const second = Math.floor(milliseconds / 1000);
  if (second !== lastSecond) {
    lastDate = format(new Date(second * 1000));
    lastSecond = second;
  }
  return lastDate;
}

function format(date: Date): string {
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  const day = `${DAYS[date.getDay()]}, ${two(date.getDate())} ${MONTHS[date.getMonth()]}`;
  const east = -date.getTimezoneOffset(), minutes = Math.abs(east);
  const zone = (east < 0 ? "-" : "+") + two(Math.floor(minutes / 60)) + two(minutes % 60);
  const name = zoneName(date);
  return `${day} ${date.getFullYear()} ${clock} ${zone}${name && ` (${name})`}`;
}

/** Each locale knows the abbreviations of its own part of the world alone: CEST, EST, AEDT, NZDT, SAST, JST, HKT. */
const LOCALES = ["en-GB", "en-CA", "en-AU", "en-US", "en-ZA", "ja", "en-HK"];
/** By locale, made when first asked: the first of a process takes some 40 ms, which no role should need to start. */
const formatters = new Map<string, Intl.DateTimeFormat>();

let lastMinute = NaN;
let lastZone = "";

/** Empty where no locale has more than the offset, `GMT-3`. */
function zoneName(date: Date): string {
  const minute = Math.floor(date.getTime() / 60_000);
  if (minute !== lastMinute) {
    lastMinute = minute;
    lastZone = LOCALES.values().map((locale) => nameIn(locale, date))
      .find((name) => /^[A-Z]{1,6}$/.test(name)) ?? "";
  }
  return lastZone;
}

function nameIn(locale: string, date: Date): string {
  let formatter = formatters.get(locale);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat(locale, { timeZoneName: "short" });
    formatters.set(locale, formatter);
  }
  return formatter.formatToParts(date).find(({ type }) => type === "timeZoneName")!.value;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
