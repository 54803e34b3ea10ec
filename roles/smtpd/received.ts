/** The Received header that smtpd writes above each message (RFC 5321 4.4; reference 3.3). */

import { DAYS, MONTHS } from "../../shared/calendar.ts";
import { external } from "../../shared/mail/address.ts";

export interface Hop {
  readonly helo: string;
  readonly clientName: string;
  readonly clientAddress: string;
  readonly hostname: string;
  readonly mailName: string;
  /** SMTP, ESMTP, ESMTPS, UTF8SMTP ... */
  readonly protocol: string;
  readonly queueId: string;
  /** Internal form; only when there is exactly one recipient. */
  readonly recipient: string | undefined;
  /** For `smtpd_tls_received_header`. */
  readonly tls: { protocol: string; cipher: string; bits: number } | undefined;
  /** Milliseconds since the epoch. */
  readonly arrived: number;
}

/** The header, folded, with CRLF at the end of each line. */
export function received(hop: Hop): string {
  const address = hop.clientAddress.includes(":") ? `IPv6:${hop.clientAddress}` : hop.clientAddress;
  const tls = hop.tls
    ? `\t(using ${hop.tls.protocol} with cipher ${hop.tls.cipher} (${hop.tls.bits}/${hop.tls.bits} bits))\r\n`
    : "";
  const by = `\tby ${hop.hostname} (${hop.mailName}) with ${hop.protocol} id ${hop.queueId}`;
  const to = hop.recipient === undefined ? ";\r\n\t" : `\r\n\tfor <${external(hop.recipient)}>; `;
  return `Received: from ${hop.helo || hop.clientName} (${hop.clientName} [${address}])\r\n` +
    `${tls}${by}${to}${receivedDate(hop.arrived)}\r\n`;
}

// This locale has the abbreviations that people know, CEST for instance.
const zoneName = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });

let lastSecond = NaN;
let lastDate = "";

/** `Mon, 06 Jul 2026 10:00:00 +0200 (CEST)`; made once a second. */
export function receivedDate(milliseconds: number): string {
  const second = Math.floor(milliseconds / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastDate = format(new Date(second * 1000));
  }
  return lastDate;
}

function format(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${DAYS[date.getDay()]}, ${two(date.getDate())} ${MONTHS[date.getMonth()]}`;
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  const east = -date.getTimezoneOffset(), minutes = Math.abs(east);
  const zone = `${east < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`;
  const name = zoneName.formatToParts(date).find(({ type }) => type === "timeZoneName")?.value;
  return `${day} ${date.getFullYear()} ${clock} ${zone} (${name ?? zone})`;
}
