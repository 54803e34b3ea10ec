/** Dates as messages carry them: RFC 5322 3.3, in local time with a numeric zone and, as a comment, its name. */

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
  return `${day} ${date.getFullYear()} ${clock} ${zone} (${zoneName(date) ?? zone})`;
}

// This locale has the abbreviations that people know, CEST for instance.
const zoneNames = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });

let lastMinute = NaN;
let lastZone: string | undefined;

function zoneName(date: Date): string | undefined {
  const minute = Math.floor(date.getTime() / 60_000);
  if (minute !== lastMinute) {
    lastMinute = minute;
    lastZone = zoneNames.formatToParts(date).find(({ type }) => type === "timeZoneName")?.value;
  }
  return lastZone;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
