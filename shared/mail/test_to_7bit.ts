/** For tests: messages as text, one character for each byte, on their way through To7Bit. */

import { byteText, concat } from "../bytes.ts";
import { To7Bit } from "./to_7bit.ts";

export const LIMITS = { nesting: 100, boundaryBytes: 2048 };

const bytesOf = (text: string) => Uint8Array.from(text, (each) => each.charCodeAt(0));

/** What comes out of it when it is put in whole, or cut into pieces of these lengths. */
export function convert(text: string, limits = LIMITS, cuts: readonly number[] = []): string {
  const converter = new To7Bit(limits), bytes = bytesOf(text), parts: Uint8Array[] = [];
  let at = 0;
  for (const length of [...cuts, bytes.length]) {
    parts.push(converter.push(bytes.subarray(at, at + length)).slice());
    at = Math.min(bytes.length, at + length);
  }
  return byteText(concat([...parts, converter.end()]));
}

/** As text with line ends. */
export const lines = (...made: string[]) => made.map((line) => line + "\r\n").join("");

/** Quoted-printable text, decoded in the plainest way (RFC 2045 6.7). */
export function decodeQuoted(text: string): string {
  return text.replaceAll("=\r\n", "").replace(
    /=([0-9A-F]{2})/g,
    (_, hex) => String.fromCharCode(parseInt(hex, 16)),
  );
}
