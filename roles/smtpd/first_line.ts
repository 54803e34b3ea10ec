/**
 * What the first line of content may need (reference 3.5): mailbox separators `From ` and `>From ` become
 * `X-Mailbox-Line:` headers, and a first line that starts with white space gets an empty line before it, so that it does
 * not continue the Received header above.
 */

import { concat, EMPTY } from "../../shared/bytes.ts";

const encoder = new TextEncoder();
const X_MAILBOX_LINE = encoder.encode("X-Mailbox-Line: ");
const FROM = encoder.encode("From ");
const CRLF = Uint8Array.of(13, 10);
const LF = 10, SPACE = 32, TAB = 9, QUOTE = 62;
/** More `>` than this before `From ` are no mailbox separator. */
const MAX_QUOTES = 64;

export class FirstLine {
  /** The start of a line that cannot be judged yet. */
  #held: Uint8Array = EMPTY;
  /** Inside a line that was a separator: the next one is judged too. */
  #inSeparator = false;
  #first = true;
  #done = false;
  /** Bytes that were inserted. */
  added = 0;

  /** Gives the parts with what was inserted; the same array when there is nothing to do. */
  push(parts: Uint8Array[]): Uint8Array[] {
    if (this.#done || parts.length === 0 || this.#isPlain(parts[0]!)) return parts;
    const out: Uint8Array[] = [];
    let data = concat([this.#held, ...parts]);
    this.#held = data.subarray(0, 0);
    while (data.length && !this.#done) {
      if (this.#inSeparator) {
        const end = data.indexOf(LF) + 1;
        out.push(end ? data.subarray(0, end) : data);
        this.#inSeparator = end === 0;
        data = end ? data.subarray(end) : data.subarray(data.length);
        continue;
      }
      const separator = isSeparator(data);
      if (separator === undefined) {
        this.#held = data;
        return out;
      }
      if (separator) this.#insert(out, X_MAILBOX_LINE);
      else if (this.#first && (data[0] === SPACE || data[0] === TAB)) this.#insert(out, CRLF);
      this.#inSeparator = separator;
      this.#done = !separator;
      this.#first = false;
    }
    if (data.length) out.push(data);
    return out;
  }

  #insert(out: Uint8Array[], bytes: Uint8Array): void {
    out.push(bytes);
    this.added += bytes.length;
  }

  /** Nearly every message: its first bytes show that there is nothing to do, and nothing is copied. */
  #isPlain(start: Uint8Array): boolean {
    if (!this.#first || this.#held.length || start[0] === SPACE || start[0] === TAB) return false;
    return this.#done = isSeparator(start) === false;
  }

  /** The content has ended: gives what was held. */
  finish(): Uint8Array[] {
    const held = this.#held;
    this.#done = true;
    return held.length ? [held] : [];
  }
}

/** Whether a line that begins so is a mailbox separator; undefined when more bytes are needed. */
function isSeparator(line: Uint8Array): boolean | undefined {
  let at = 0;
  while (at < line.length && line[at] === QUOTE) at++;
  if (at > MAX_QUOTES) return false;
  for (const byte of FROM) {
    if (at === line.length) return undefined;
    if (line[at++] !== byte) return false;
  }
  return true;
}
