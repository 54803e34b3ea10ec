/** The commands of a mail transaction, and what they may not carry (RFC 5321 3.3, RFC 1870, RFC 3461, RFC 6152, RFC 6531). */

import { isAscii } from "../../shared/bytes.ts";
import { external } from "../../shared/mail/address.ts";
import type { DeliveryRequest } from "../../shared/protocols/delivery.ts";
import type { Features } from "./features.ts";

type RequestedRecipient = DeliveryRequest["recipients"][number];

/** Outside quotes these would end the path and begin parameters. */
const UNSAFE_DOMAIN = /[\s<>"\\,;]/;
/** xtext and its kin (RFC 3461 4): anything else is not passed on. */
const PRINTABLE = /^[!-~]+$/;
/** What xtext leaves as it is. */
const XTEXT = /^[!-*,-<>-~]+$/;

/** An address that cannot be written between angle brackets. */
export function isUnsafe(address: string): boolean {
  return UNSAFE_DOMAIN.test(address.slice(address.lastIndexOf("@") + 1)) && address.includes("@");
}

/** `MAIL FROM:<...>` with the parameters that the server offered. `utf8` asks for SMTPUTF8. */
export function mailCommand(request: DeliveryRequest, offered: Features, utf8: boolean): string {
  const { envelope, size } = request;
  let command = `MAIL FROM:<${external(envelope.sender)}>`;
  if (offered.size) command += ` SIZE=${size}`;
  if (offered.eightBit && envelope.body === "8bit") command += " BODY=8BITMIME";
  if (utf8) command += " SMTPUTF8";
  if (offered.dsn) {
    if (envelope.ret) command += ` RET=${envelope.ret}`;
    if (PRINTABLE.test(envelope.envid)) command += ` ENVID=${envelope.envid}`;
  }
  return command + "\r\n";
}

/** `RCPT TO:<...>` likewise. */
export function rcptCommand(recipient: RequestedRecipient, offered: Features): string {
  let command = `RCPT TO:<${external(recipient.address)}>`;
  if (offered.dsn) {
    if (recipient.notify.length) command += ` NOTIFY=${recipient.notify.join(",")}`;
    const orcpt = recipient.orcpt || originalRecipient(recipient);
    if (PRINTABLE.test(orcpt)) command += ` ORCPT=${orcpt}`;
  }
  return command + "\r\n";
}

/** The first server with DSN says who was meant, before aliases (RFC 3461 5.2.1); nothing for addresses in Unicode. */
function originalRecipient({ original, address }: RequestedRecipient): string {
  const text = external(original || address);
  return isAscii(text) ? `rfc822;${xtext(text)}` : "";
}

/** RFC 3461 4. */
function xtext(text: string): string {
  if (XTEXT.test(text)) return text;
  const encoded = (char: string) =>
    `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  return text.replace(/[^!-~]|[+=]/g, encoded);
}
