/** Content on its way into an SMTP conversation: dots stuffed (RFC 5321 4.5.2), over-long lines broken. */

import { byteText, concat } from "../../shared/bytes.ts";
import { type MimeLimits, To7Bit } from "../../shared/mail/to_7bit.ts";

const CR = 13, LF = 10, SPACE = 32, DOT = 46;
const END = new Uint8Array([DOT, CR, LF]);
const END_AFTER_TEXT = new Uint8Array([CR, LF, DOT, CR, LF]);

/** What has to be put in before a position. */
type Edit = readonly [at: number, what: "dot" | "break"];

/**
 * Takes CRLF text chunk by chunk. A chunk that needs nothing is passed on as it is, not copied. It is searched as text, one
 * char a byte: V8 looks for chars several times as fast as for bytes, and whole messages would wait for that.
 */
export class Stuffer {
  /** Bytes of the line that has begun; 0 at the start of a line. */
  #column = 0;
  /** A line was too long and has been broken. */
  broke = false;

  /** `limit` is the longest line without its end; 0 never breaks one. */
  constructor(readonly limit: number) {}

  push(chunk: Uint8Array): Uint8Array {
    const text = byteText(chunk);
    const dots = this.#dots(text), breaks = this.#breaks(text);
    if (!dots.length && !breaks.length) return chunk;
    return apply(chunk, [...dots, ...breaks].sort(([one], [other]) => one - other));
  }

  /** What ends the data, after a line end if the content has none. */
  end(): Uint8Array {
    return this.#column ? END_AFTER_TEXT : END;
  }

  #dots(text: string): Edit[] {
    const dots: Edit[] = this.#column === 0 && text.startsWith(".") ? [[0, "dot"]] : [];
    for (let lf = text.indexOf("\n."); lf >= 0; lf = text.indexOf("\n.", lf + 2)) {
      dots.push([lf + 1, "dot"]);
    }
    return dots;
  }

  /** Where lines have to be broken; finds how long the line is that has begun. */
  #breaks(text: string): Edit[] {
    const { limit } = this, breaks: Edit[] = [];
    let at = 0;
    while (limit && this.#column + text.length - at > limit) {
      // All lines fit up to the last end that a line beginning here may have.
      let lf = text.lastIndexOf("\n", at + limit - this.#column + 1);
      if (lf < at) {
        lf = text.indexOf("\n", at);
        this.#break(text, at, textEnd(text, at, lf), breaks);
      }
      if (lf < 0) return breaks;
      this.#column = 0;
      at = lf + 1;
    }
    const begun = text.lastIndexOf("\n") + 1;
    if (begun > at) this.#column = 0;
    at = Math.max(at, begun);
    this.#column += textEnd(text, at) - at;
    return breaks;
  }

  /** Breaks the text of one line, from `at` to `end`, wherever it passes the limit. */
  #break(text: string, at: number, end: number, breaks: Edit[]): void {
    while (this.#column + end - at > this.limit) {
      this.broke = true;
      let cut = at + Math.max(0, this.limit - this.#column);
      // Not inside a UTF-8 character, if that is what it is.
      for (let back = 0; back < 3 && cut > at && isContinuation(text, cut); back++) cut--;
      // A limit so small that nothing fits still has to make progress.
      if (cut === at && this.#column <= 1) cut++;
      breaks.push([cut, "break"]);
      at = cut;
      this.#column = 1;
    }
    this.#column += end - at;
  }
}

/** Where the text of a line ends. A CR is always half of a line end here, so it never counts as text. */
function textEnd(text: string, at: number, lf = -1): number {
  const end = lf < 0 ? text.length : lf;
  return end > at && text[end - 1] === "\r" ? end - 1 : end;
}

function isContinuation(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xc0) === 0x80;
}

/** The same for a server that takes 7 bits only: 8-bit parts are converted first. */
export class SevenBitStuffer extends Stuffer {
  #converter: To7Bit;

  constructor(limit: number, limits: MimeLimits) {
    super(limit);
    this.#converter = new To7Bit(limits);
  }

  override push(bytes: Uint8Array): Uint8Array {
    return super.push(this.#converter.push(bytes));
  }

  override end(): Uint8Array {
    return concat([super.push(this.#converter.end()), super.end()]);
  }
}

function apply(chunk: Uint8Array, edits: readonly Edit[]): Uint8Array {
  let more = 0;
  for (const [, what] of edits) more += what === "dot" ? 1 : 3;
  const out = new Uint8Array(chunk.length + more);
  let from = 0, to = 0;
  for (const [at, what] of edits) {
    out.set(chunk.subarray(from, at), to);
    to += at - from;
    from = at;
    if (what === "dot") out[to++] = DOT;
    else {
      out[to++] = CR;
      out[to++] = LF;
      out[to++] = SPACE;
    }
  }
  out.set(chunk.subarray(from), to);
  return out;
}

/** Up to here one copy is cheaper than a second system call. */
const COPIED_BYTES = 32 * 1024;

/** All of a message that is at hand, ready to be written at once. */
export function stuffWhole(content: Uint8Array, stuffer: Stuffer): Uint8Array[] {
  const parts = [stuffer.push(content), stuffer.end()];
  return content.length > COPIED_BYTES ? parts : [concat(parts)];
}
