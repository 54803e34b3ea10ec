/** Content as a mailbox has it: LF line ends, with the envelope in headers on top (reference 4.4). */

import { byteText, utf8Bytes } from "../../shared/bytes.ts";
import { external } from "../../shared/mail/address.ts";

const CR = 13;

/** Where short text is put together: most messages need no array of their own. */
const room = new Uint8Array(64 * 1024);
const encoder = new TextEncoder();

/**
 * CRLF text without its CRs: inside the system no other CR exists. Pieces may be cut anywhere. What it gives is good until
 * the next call.
 *
 * It is called once a message, so V8 takes thousands of messages to make a loop over bytes fast: the work is left to what
 * is fast from the beginning.
 */
export function toLf(text: Uint8Array): Uint8Array {
  const lf = text.length > room.length ? new Uint8Array(text.length) : room;
  const chars = byteText(text).split("\r").join("");
  const { read, written } = encoder.encodeInto(chars, lf);
  // As many bytes as chars: it is ASCII.
  const length = read === written && read === chars.length ? read : withoutCr(text, lf);
  return lf.subarray(0, length);
}

/** Copies line by line; returns how many bytes that were. */
function withoutCr(text: Uint8Array, to: Uint8Array): number {
  let length = 0;
  for (let from = 0; from < text.length;) {
    const cr = text.indexOf(CR, from), end = cr < 0 ? text.length : cr;
    to.set(text.subarray(from, end), length);
    length += end - from;
    from = end + 1;
  }
  return length;
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
