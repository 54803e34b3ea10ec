/**
 * Finds the header section of a message (RFC 5322 2.2) in its bytes, without making text of it: where it ends, and where
 * the fields are that somebody has to look at. Content is CRLF text; what has no form of a header ends the section.
 */

import { byteText } from "../bytes.ts";

/** A longer section is looked at no further: an attacker could make us hold a message of any size. */
const MAX_HEADER_SECTION_BYTES = 1 << 20;

/** More fields that somebody has to look at are nobody's, and each is an object many times as large as its bytes. */
const MAX_FIELDS = 1000;

const TAB = 9, LF = 10, CR = 13, SPACE = 32, COLON = 58, DEL = 127;

/** The names to look for, in any case; made once, asked for each line. */
export class FieldNames {
  /** By length and first letter: most lines are no candidate and cost one look. */
  #candidates = new Map<number, { name: string; bytes: Uint8Array }[]>();

  /** `names` are in lower case. */
  constructor(names: Iterable<string>) {
    for (const name of new Set(names)) {
      const bytes = new TextEncoder().encode(name);
      const key = candidateKey(bytes.length, bytes[0]!);
      const known = this.#candidates.get(key) ?? [];
      this.#candidates.set(key, [...known, { name, bytes }]);
    }
  }

  /** The name that stands at `start` to `end`, in lower case; undefined for any other. */
  find(content: Uint8Array, start: number, end: number): string | undefined {
    const length = end - start;
    const candidates = this.#candidates.get(candidateKey(length, lower(content[start]!)));
    next: for (const { name, bytes } of candidates ?? []) {
      for (let i = 1; i < length; i++) {
        if (lower(content[start + i]!) !== bytes[i]) continue next;
      }
      return name;
    }
    return undefined;
  }
}

function candidateKey(length: number, first: number): number {
  return length * 256 + first;
}

function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte | 0x20 : byte;
}

/** The name of a field that nobody asked for, but whose colon stands apart from its name. */
export const APART = "";

/** A field of a name that was asked for, or one whose colon stands apart. */
export interface Field {
  /** In lower case; or APART. */
  readonly name: string;
  readonly start: number;
  /** After the name; there may be white space before the colon (RFC 5322 4.5.8). */
  readonly nameEnd: number;
  /** After the colon. */
  readonly valueStart: number;
  /** After the line break of the last folded line. */
  end: number;
}

/**
 * How a header section ends: an empty line, a line that is no header (an empty line belongs before it), the end of the
 * message; or a limit, behind which nobody knows what else it has.
 */
export type HeaderEnd = "empty line" | "text" | "end of message" | "limit";

/** Looks at a header section that may still be arriving: call `scan` with all that has come until it says true. */
export class HeaderScanner {
  readonly fields: Field[] = [];
  /** Any field whose name begins with this counts as `resent`. */
  resent = false;
  /** Where the section ends: at the empty line, or after the last field; at a limit, how far it was looked at. */
  end = 0;
  ending: HeaderEnd = "limit";
  /** Start of the first line that has not been looked at. */
  #at = 0;
  /** The field that the last line belongs to: null for one nobody asked for, undefined before the first. */
  #open: Field | null | undefined;

  constructor(readonly names: FieldNames, readonly limitBytes = MAX_HEADER_SECTION_BYTES) {}

  /** `content` is the message from its first byte; `last` says that there is no more. True when the section has ended. */
  scan(content: Uint8Array, last: boolean): boolean {
    for (;;) {
      const at = this.#at;
      if (at >= content.length) return last ? this.#ended("end of message", at) : false;
      let next = content.indexOf(LF, at) + 1;
      if (next === 0) {
        // The CR of an empty line may be the last that has come.
        if (!last && content.length <= this.limitBytes + 1) return false;
        next = content.length;
      }
      const first = content[at]!, folded = first === SPACE || first === TAB;
      if (first === CR && next - at === 2) return this.#ended("empty line", at);
      // However long a line is, its first byte may show that it is no header.
      if (folded ? this.#open === undefined : !isNameByte(first)) return this.#ended("text", at);
      if (next > this.limitBytes) return this.#ended("limit", at);
      if (!folded && !this.#field(content, at, next)) return this.#ended("text", at);
      if (folded && this.#open) this.#open.end = next;
      if (this.fields.length > MAX_FIELDS) return this.#ended("limit", at);
      this.#at = next;
    }
  }

  /** A new field; false when the line has no form of one (RFC 5322 2.2: printable name, colon). */
  #field(content: Uint8Array, start: number, next: number): boolean {
    let at = start;
    while (at < next && isNameByte(content[at]!)) at++;
    const nameEnd = at;
    while (at < next && (content[at] === SPACE || content[at] === TAB)) at++;
    if (nameEnd === start || content[at] !== COLON || at >= next) return false;
    this.resent ||= nameEnd - start > 7 && isResent(content, start);
    const name = this.names.find(content, start, nameEnd) ?? (at > nameEnd ? APART : undefined);
    this.#open = name === undefined
      ? null
      : { name, start, nameEnd, valueStart: at + 1, end: next };
    if (this.#open) this.fields.push(this.#open);
    return true;
  }

  #ended(ending: HeaderEnd, at: number): boolean {
    this.ending = ending;
    this.end = at;
    return true;
  }
}

const RESENT = new TextEncoder().encode("resent-");

function isResent(content: Uint8Array, start: number): boolean {
  return RESENT.every((byte, i) => lower(content[start + i]!) === byte);
}

function isNameByte(byte: number): boolean {
  return byte > SPACE && byte < DEL && byte !== COLON;
}

/** The value of a field, without the white space around it, as text of one char a byte; folding stays in it. */
export function fieldText(content: Uint8Array, field: Field): string {
  return byteText(content, field.valueStart, field.end).trim();
}

/** True for a line that begins with the name of a field and a colon (RFC 5322 2.2, 4.5.8). */
export function startsField(line: string): boolean {
  return /^[!-9;-~]+[ \t]*:/.test(line);
}

/** A value on one line (RFC 5322 2.2.3). */
export function unfold(text: string): string {
  return text.replace(/\r?\n(?=[ \t])/g, "").trim();
}
