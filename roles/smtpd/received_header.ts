/** The Received header that smtpd writes above each message (RFC 5321 4.4; reference 3.3). */

import { external } from "../../shared/mail/address.ts";
import { mailDate } from "../../shared/mail/date.ts";

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
    `${tls}${by}${to}${mailDate(hop.arrived)}\r\n`;
}
