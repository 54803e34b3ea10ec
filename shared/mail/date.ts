/** Dates as messages carry them: RFC 5322 3.3, in local time with a numeric zone. */

import { DAYS, MONTHS } from "../calendar.ts";

let lastSecond = NaN;
let lastDate = "";

/** `Thu, 07 Nov 2024 01:02:03 +0000`, from milliseconds since the epoch; made once a second. */
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
  return `${day} ${date.getFullYear()} ${clock} ${zone}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
