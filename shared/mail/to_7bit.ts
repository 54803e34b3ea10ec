/**
 * A message with 8-bit parts on its way to a server that takes 7 bits only (RFC 6152 3): bodies whose
 * Content-Transfer-Encoding is 8bit or binary become quoted-printable, the multiparts and messages around them say 7bit. All
 * else stays as it is, a body that is not declared 8-bit too: nobody said what it is. Nor can anybody tell the
 * parts of a multipart in which no boundary is found. It may not be encoded as a whole (RFC 2045 6.4), so nothing of it is
 * touched, and it says 8bit still: many servers pass 8 bits on all the same, but what is replaced here is lost.
 *
 * Works on lines as they come, in bounded memory: a line that is longer than a boundary can be passes in pieces.
 *
 * | section  | what it is                                  | ends with                          |
 * |----------|---------------------------------------------|------------------------------------|
 * | header   | of the message, a part, a message in a part | an empty line, text, a boundary    |
 * | body     | of a part that is no multipart              | a boundary of a multipart around   |
 * | between  | before, after and between a multipart's parts | a boundary                       |
 */

import { byteText, concat, EMPTY } from "../bytes.ts";
import { parseContentType, parseEncoding } from "./content_type.ts";
import { FieldNames } from "./header.ts";
import { QuotedPrintable } from "./quoted_printable.ts";

export interface MimeLimits {
  /** mime_nesting_limit: multiparts and messages inside each other; what is deeper is not looked into. */
  readonly nesting: number;
  /** mime_boundary_length_limit: bytes of a boundary that count. */
  readonly boundaryBytes: number;
}

const TAB = 9, LF = 10, CR = 13, SPACE = 32, COLON = 58, HYPHEN = 45, QUESTION = 63;

/** Longer fields are not looked at: no honest Content-Type comes near. */
const MAX_FIELD_BYTES = 16 * 1024;
/** The longest name that makes a line a field: RFC 5322 2.1.1 has no longer lines. */
const MAX_NAME_BYTES = 998;
/** Of a longer text before the first part we do not wait for the end; an honest one is a line or two. */
const MAX_PREAMBLE_BYTES = 16 * 1024;
const TYPE = "content-type", ENCODING = "content-transfer-encoding";
const TEXT = "text/plain", MESSAGE = "message/rfc822";
const EIGHT_BIT: ReadonlySet<string> = new Set(["8bit", "binary"]);
const NAMES = new FieldNames([TYPE, ENCODING]);
const encoder = new TextEncoder();

/** A field that may tell something, as far as it has come. */
interface OpenField {
  readonly name: string;
  parts: Uint8Array[];
  length: number;
}

/** What the header section that is being read has told. */
interface Head {
  /** There was a field. */
  begun: boolean;
  /** There was a type. */
  typed: boolean;
  /** Until then the one that such a header has without. */
  type: string;
  boundary: string;
  /** There was an encoding. */
  encoded: boolean;
  /** The fields that say 8bit or binary, left out as yet; undefined when it is something else. */
  eightBit: Uint8Array[] | undefined;
}

/** A multipart whose parts are being read. */
interface Multipart {
  readonly boundary: Uint8Array;
  /** Of a part that does not say its own. */
  readonly partType: string;
  /** How many multiparts and messages it makes with those around it. */
  readonly depth: number;
  /** It says 7bit now, and what stands between its parts has no encoding of its own. */
  made7Bit: boolean;
}

/** What stands before the first part of an 8-bit multipart, the empty line first: held until it is known that there is one. */
interface Preamble {
  /** What the multipart said. */
  readonly eightBit: readonly Uint8Array[];
  readonly pieces: Uint8Array[];
  length: number;
}

export class To7Bit {
  #section: "header" | "body" | "between" = "header";
  #head = newHead(TEXT);
  #field: OpenField | undefined;
  /** Multiparts around, outermost first. */
  #multiparts: Multipart[] = [];
  /** Multiparts and messages around. */
  #depth = 0;
  /** Set while a body is converted. */
  #encoder: QuotedPrintable | undefined;
  /** The multipart that section `between` belongs to. */
  #around: Multipart | undefined;
  /** Set from the header of an 8-bit multipart to its first boundary. */
  #preamble: Preamble | undefined;
  #rest: Uint8Array = EMPTY;
  /** The next piece begins a line. */
  #fresh = true;
  #out: Uint8Array[] = [];

  constructor(readonly limits: MimeLimits) {}

  /** CRLF text, cut anywhere; the converted text as far as it is certain. */
  push(chunk: Uint8Array): Uint8Array {
    const bytes = this.#rest.length ? concat([this.#rest, chunk]) : chunk;
    // A piece that begins a line is long enough to tell whether it is a boundary or a field.
    const pieceBytes = Math.max(this.limits.boundaryBytes, MAX_NAME_BYTES) + 8;
    let at = 0;
    for (;;) {
      const end = bytes.indexOf(LF, at) + 1;
      if (end) this.#line(bytes.subarray(at, end), true);
      else if (bytes.length - at > pieceBytes) {
        // The last bytes may be white space or half a line end.
        const cut = bytes.length - 4;
        this.#line(bytes.subarray(at, cut), false);
        at = cut;
        break;
      } else break;
      at = end;
    }
    this.#rest = bytes.slice(at);
    return this.#taken();
  }

  /** What is left at the end of the message. */
  end(): Uint8Array {
    if (this.#rest.length) this.#line(this.#rest, true);
    this.#rest = EMPTY;
    if (this.#section === "header") this.#endHeader();
    this.#endPreamble(false);
    return this.#taken();
  }

  #taken(): Uint8Array {
    const out = this.#out.length === 1 ? this.#out[0]! : concat(this.#out);
    this.#out = [];
    return out;
  }

  /** A line, or a piece of one; `last` when the line ends with it. */
  #line(piece: Uint8Array, last: boolean): void {
    const fresh = this.#fresh;
    this.#fresh = last;
    if (fresh && this.#boundary(piece)) return;
    if (this.#section === "header") this.#headerLine(piece, fresh, last);
    else this.#bodyLine(piece, last);
  }

  #bodyLine(piece: Uint8Array, last: boolean): void {
    if (this.#encoder) this.#out.push(this.#encoder.encode(piece, last));
    else if (this.#section === "between" && this.#around!.made7Bit) {
      this.#out.push(questioned(piece));
    } else this.#pass(piece);
  }

  /** Passes text on, or holds it while it is a preamble. */
  #pass(piece: Uint8Array): void {
    const preamble = this.#preamble;
    if (!preamble) return void this.#out.push(piece);
    preamble.pieces.push(piece.slice());
    preamble.length += piece.length;
    if (preamble.length > MAX_PREAMBLE_BYTES) this.#endPreamble(false);
  }

  /** Lets the preamble go: where no part follows it may be all there is to read, so nothing of it is touched. */
  #endPreamble(partFollows: boolean): void {
    const preamble = this.#preamble;
    if (!preamble) return;
    this.#preamble = undefined;
    this.#around!.made7Bit = partFollows;
    if (partFollows) this.#say("7bit");
    else this.#out.push(...preamble.eightBit);
    this.#out.push(...preamble.pieces.map((piece) => partFollows ? questioned(piece) : piece));
  }

  /** Takes a line that is a boundary of a multipart around. */
  #boundary(line: Uint8Array): boolean {
    if (line[0] !== HYPHEN || line[1] !== HYPHEN) return false;
    for (let i = this.#multiparts.length - 1; i >= 0; i--) {
      const around = this.#multiparts[i]!;
      const found = boundaryOf(line, around.boundary, this.limits.boundaryBytes);
      if (!found) continue;
      if (this.#section === "header") this.#endHeader();
      this.#endPreamble(found === "next" && i === this.#multiparts.length - 1);
      this.#encoder = undefined;
      this.#out.push(line);
      this.#multiparts.length = found === "end" ? i : i + 1;
      this.#depth = found === "end" ? around.depth - 1 : around.depth;
      this.#around = around;
      if (found === "end") this.#section = "between";
      else this.#beginHeader(around.partType);
      return true;
    }
    return false;
  }

  /** `type` is what it has when it does not say one. */
  #beginHeader(type: string): void {
    this.#section = "header";
    this.#head = newHead(type);
    this.#field = undefined;
  }

  #headerLine(piece: Uint8Array, fresh: boolean, last: boolean): void {
    const folded = !fresh || (this.#head.begun && (piece[0] === SPACE || piece[0] === TAB));
    if (folded) return this.#goOn(piece);
    this.#endField();
    if (isLineEnd(piece)) {
      this.#endHeader();
      return this.#pass(piece);
    }
    const name = fieldName(piece);
    if (name === undefined) {
      // No header: the body has begun without an empty line.
      if (this.#endHeader()) this.#pass(encoder.encode("\r\n"));
      // That of a message begins with a header, or again without one.
      return this.#section === "header"
        ? this.#headerLine(piece, fresh, last)
        : this.#bodyLine(piece, last);
    }
    this.#head.begun = true;
    const found = NAMES.find(piece, 0, name);
    if (!found) this.#out.push(piece);
    else this.#field = { name: found, parts: [piece.slice()], length: piece.length };
  }

  /** More of the field that is open. */
  #goOn(piece: Uint8Array): void {
    const field = this.#field;
    if (!field) return void this.#out.push(piece);
    field.parts.push(piece.slice());
    field.length += piece.length;
    if (field.length <= MAX_FIELD_BYTES) return;
    this.#field = undefined;
    this.#out.push(...field.parts);
  }

  /** A field is whole: the first of each name counts. An encoding that is to be replaced is left out, and what contradicts it. */
  #endField(): void {
    const field = this.#field;
    if (!field) return;
    this.#field = undefined;
    const text = byteText(concat(field.parts)), value = text.slice(text.indexOf(":") + 1);
    if (field.name === TYPE && !this.#head.typed) {
      Object.assign(this.#head, parseContentType(value), { typed: true });
    } else if (field.name === ENCODING) {
      if (!this.#head.encoded && EIGHT_BIT.has(parseEncoding(value))) this.#head.eightBit = [];
      this.#head.encoded = true;
      if (this.#head.eightBit) return void this.#head.eightBit.push(...field.parts);
    }
    this.#out.push(...field.parts);
  }

  /** Says what the encoding is now, and what follows; true when a header line was written. */
  #endHeader(): boolean {
    this.#endField();
    const { type, boundary, eightBit } = this.#head;
    const multipart = type.startsWith("multipart/"), message = type === MESSAGE;
    const inside = (message || (multipart && boundary !== "")) && this.#depth < this.limits.nesting;
    this.#section = "body";
    if (inside) {
      this.#depth++;
      if (message) this.#beginHeader(TEXT);
      else this.#beginMultipart(type, boundary);
    }
    if (!eightBit) return false;
    if (inside && multipart) this.#preamble = { eightBit, pieces: [], length: 0 };
    else if (inside) this.#say("7bit");
    // Too deep, or without a boundary: neither looked into nor changed.
    else if (multipart || message) this.#out.push(...eightBit);
    else {
      this.#encoder = new QuotedPrintable();
      this.#say("quoted-printable");
    }
    return true;
  }

  #beginMultipart(type: string, boundary: string): void {
    const kept = boundary.slice(0, this.limits.boundaryBytes);
    const bytes = Uint8Array.from(kept, (character) => character.charCodeAt(0));
    // RFC 2046 5.1.5.
    const partType = type === "multipart/digest" ? MESSAGE : TEXT;
    this.#around = { boundary: bytes, partType, depth: this.#depth, made7Bit: false };
    this.#multiparts.push(this.#around);
    this.#section = "between";
  }

  #say(encoding: string): void {
    this.#out.push(encoder.encode(`Content-Transfer-Encoding: ${encoding}\r\n`));
  }
}

function newHead(type: string): Head {
  return { begun: false, typed: false, type, boundary: "", encoded: false, eightBit: undefined };
}

/** What `--boundary` this line is, if it is (RFC 2046 5.1.1). */
function boundaryOf(
  line: Uint8Array,
  boundary: Uint8Array,
  limit: number,
): "next" | "end" | undefined {
  for (let i = 0; i < boundary.length; i++) if (line[i + 2] !== boundary[i]) return undefined;
  let at = boundary.length + 2;
  const end = line[at] === HYPHEN && line[at + 1] === HYPHEN;
  // Of a boundary that was cut nobody can say how it goes on.
  if (boundary.length === limit) return end ? "end" : "next";
  if (end) at += 2;
  while (line[at] === SPACE || line[at] === TAB || line[at] === CR) at++;
  if (at < line.length && line[at] !== LF) return undefined;
  return end ? "end" : "next";
}

/** Where the name of a field ends; undefined for a line that is none (RFC 5322 2.2). */
function fieldName(line: Uint8Array): number | undefined {
  let at = 0;
  while (at < line.length && line[at]! > SPACE && line[at]! < 127 && line[at] !== COLON) at++;
  const end = at;
  while (at < MAX_NAME_BYTES && (line[at] === SPACE || line[at] === TAB)) at++;
  return end > 0 && line[at] === COLON && at <= MAX_NAME_BYTES ? end : undefined;
}

function isLineEnd(line: Uint8Array): boolean {
  return line[0] === LF || (line[0] === CR && line[1] === LF);
}

/** The same with a question mark for each byte of 8 bits: readers skip this text (RFC 2046 5.1.1). */
function questioned(piece: Uint8Array): Uint8Array {
  return piece.some((byte) => byte > 127)
    ? piece.map((byte) => byte > 127 ? QUESTION : byte)
    : piece;
}
