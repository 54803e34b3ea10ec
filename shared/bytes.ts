/**
 * Text and bytes, in the ways that cost least in Deno: an array of its own costs as much as the rest of a small frame, so
 * small ones share a slab; TextEncoder makes such an array each time; a fatal TextDecoder takes three times as long as
 * another one, and what it makes twice the memory.
 */

import { Buffer } from "node:buffer";

/** What small arrays are cut from. One of them that is kept keeps all of it. */
const SLAB_BYTES = 8 * 1024;
/** Larger ones stand alone. */
const MAX_SHARED_BYTES = SLAB_BYTES / 4;
/** Text up to this is encoded in one place and copied; a char is at most three bytes of UTF-8. */
const MAX_DRAFT_CHARS = 8 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const strict = new TextDecoder("utf-8", { fatal: true });

const draft = new Uint8Array(3 * MAX_DRAFT_CHARS);
export const EMPTY = new Uint8Array(0);
let slab = EMPTY;
let used = 0;

/** So many bytes with anything in them, for a short time: a small array shares its memory with others. */
export function allocate(length: number): Uint8Array {
  if (length > MAX_SHARED_BYTES) return new Uint8Array(length);
  if (used + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES);
    used = 0;
  }
  return slab.subarray(used, used += length);
}

/** UTF-8, for a short time. */
export function utf8Bytes(text: string): Uint8Array {
  if (text.length > MAX_DRAFT_CHARS) return encoder.encode(text);
  const { written } = encoder.encodeInto(text, draft);
  const bytes = allocate(written);
  bytes.set(draft.subarray(0, written));
  return bytes;
}

/** The text that the bytes are; throws TypeError for what is no UTF-8. */
export function utf8Text(bytes: Uint8Array): string {
  const text = decoder.decode(bytes);
  // Either it stands there, or for what cannot be decoded.
  return text.includes("\ufffd") ? strict.decode(bytes) : text;
}

/** Bytes as text of one char a byte. */
export function byteText(bytes: Uint8Array, from = 0, to = bytes.length): string {
  return Buffer.prototype.latin1Slice.call(bytes, from, to);
}

/** The bytes of text of one char a byte, for a short time. */
export function textBytes(text: string): Uint8Array {
  const bytes = allocate(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** One array of all the bytes, for a short time. */
export function concat(parts: readonly Uint8Array[], total?: number): Uint8Array {
  const whole = allocate(total ?? parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** True for text that 7 bits hold. */
export function isAscii(text: string): boolean {
  // deno-lint-ignore no-control-regex
  return /^[\u0000-\u007f]*$/.test(text);
}

/** True for text with a control character of ASCII: no name, path or address has one. */
export function hasControl(text: string): boolean {
  // deno-lint-ignore no-control-regex
  return /[\u0000-\u001f\u007f]/.test(text);
}
