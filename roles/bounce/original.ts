/** What a report quotes of the message that it is about. */

import { concat, EMPTY } from "../../shared/bytes.ts";
import type { Content } from "../../shared/ipc/content.ts";
import { FieldNames, HeaderScanner } from "../../shared/mail/header.ts";

/** The quoted part of a message: whole lines of CRLF text. */
export interface Original {
  readonly bytes: Uint8Array;
  readonly whole: boolean;
}

const NO_NAMES = new FieldNames([]);
const CRLF = new Uint8Array([13, 10]);

/** Reads at most `limit` bytes: the whole message if it is wanted and fits, else its headers, as far as they fit. */
export async function readOriginal(
  content: Content,
  limit: number,
  wantWhole: boolean,
): Promise<Original> {
  const { bytes, complete } = await readSome(content, limit);
  if (wantWhole && complete) {
    const ended = bytes.length === 0 || bytes.at(-1) === 10;
    return { bytes: ended ? bytes : concat([bytes, CRLF]), whole: true };
  }
  return { bytes: headersOf(bytes), whole: false };
}

/** All of what is quoted, then less of it: only its headers, then nothing. */
export function* lessAndLess(original: Original): Generator<Original> {
  yield original;
  if (original.whole) yield onlyHeaders(original);
  yield { bytes: EMPTY, whole: false };
}

/** Its headers without its body. */
export function onlyHeaders({ bytes, whole }: Original): Original {
  return { bytes: whole ? headersOf(bytes) : bytes, whole: false };
}

/** The header section; a header that was cut off in its middle is left out. */
function headersOf(bytes: Uint8Array): Uint8Array {
  const scanner = new HeaderScanner(NO_NAMES, bytes.length);
  scanner.scan(bytes, true);
  return bytes.subarray(0, bytes.subarray(0, scanner.end).lastIndexOf(10) + 1);
}

async function readSome(
  content: Content,
  limit: number,
): Promise<{ bytes: Uint8Array; complete: boolean }> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of content) {
    parts.push(part);
    length += part.length;
    if (length > limit) break;
  }
  const bytes = parts.length === 1 ? parts[0]! : concat(parts, length);
  return length > limit
    ? { bytes: bytes.subarray(0, limit), complete: false }
    : { bytes, complete: true };
}
