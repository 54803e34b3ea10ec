/** Content as a mailbox has it: LF line ends, with the envelope in headers on top (reference 4.4). */

import { utf8Bytes } from "../../shared/bytes.ts";
import { external } from "../../shared/mail/address.ts";

const CR = 13;

/** Where short text is put together: most messages need no array of their own. */
const room = new Uint8Array(64 * 1024);

/**
 * CRLF text without its CRs: inside the system no other CR exists. Pieces may be cut anywhere. What it gives is good until
 * the next call.
 */
export function toLf(text: Uint8Array): Uint8Array {
  const lf = text.length > room.length ? new Uint8Array(text.length) : room;
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]!;
    // Each byte is put there, and a CR is written over: lines are so short that this is faster than to copy them one by one.
    lf[length] = byte;
    if (byte !== CR) length++;
  }
  return lf.subarray(0, length);
}

/** Return-Path, X-Original-To and Delivered-To, LF text. */
export function deliveryHeaders(
  sender: string,
  recipient: { readonly address: string; readonly original: string },
): Uint8Array {
  const original = recipient.original && `X-Original-To: ${external(recipient.original)}\n`;
  return utf8Bytes(
    `Return-Path: <${external(sender)}>\n${original}Delivered-To: ${external(recipient.address)}\n`,
  );
}
