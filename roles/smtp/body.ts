/** Content on its way into an SMTP conversation: dots stuffed (RFC 5321 4.5.2), over-long lines broken. */

import { concat } from "../../shared/bytes.ts";
import { findLineEnd, wordsOf } from "../../shared/mail/scan.ts";
import { type MimeLimits, To7Bit } from "../../shared/mail/to_7bit.ts";

const LF = 10, CR = 13, SPACE = 32, DOT = 46;
const END = new Uint8Array([DOT, CR, LF]);
const END_AFTER_TEXT = new Uint8Array([CR, LF, DOT, CR, LF]);

/** What has to be put in before a position. */
type Insertion = "dot" | "break";

/** Takes CRLF text chunk by chunk. A chunk that needs nothing is passed on as it is, not copied. */
export class Stuffer {
  /** Bytes of the line that has begun; 0 at the start of a line. */
  #column = 0;
  /** A line was too long and has been broken. */
  broke = false;

  /** `limit` is the longest line without its end; 0 never breaks one. */
  constructor(readonly limit: number) {}

  push(bytes: Uint8Array): Uint8Array {
    // A Buffer's own search is slow.
    const chunk = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    const words = wordsOf(chunk);
    let edits: [number, Insertion][] | undefined;
    for (let at = 0; at < chunk.length;) {
      const lf = findLineEnd(chunk, words, at);
      const end = lf < 0 ? chunk.length : lf;
      if (this.#column === 0 && chunk[at] === DOT) (edits ??= []).push([at, "dot"]);
      // A CR is always half of a line end here, so it never counts as text.
      const text = end - at - (end > at && chunk[end - 1] === CR ? 1 : 0);
      if (this.limit && this.#column + text > this.limit) {
        edits = this.#breaks(chunk, at, at + text, edits ?? []);
      } else this.#column += text;
      if (lf < 0) break;
      this.#column = 0;
      at = lf + 1;
    }
    return edits ? apply(chunk, edits) : bytes;
  }

  /** What ends the data, after a line end if the content has none. */
  end(): Uint8Array {
    return this.#column ? END_AFTER_TEXT : END;
  }

  /** Positions from `from` to `to` where a line end and a space must go. */
  #breaks(
    chunk: Uint8Array,
    from: number,
    to: number,
    edits: [number, Insertion][],
  ): [number, Insertion][] {
    this.broke = true;
    let at = from;
    while (this.#column + to - at > this.limit) {
      let cut = at + Math.max(0, this.limit - this.#column);
      // Not inside a UTF-8 character, if that is what it is.
      for (let back = 0; back < 3 && cut > at && (chunk[cut]! & 0xc0) === 0x80; back++) cut--;
      // A limit so small that nothing fits still has to make progress.
      if (cut === at && this.#column <= 1) cut++;
      edits.push([cut, "break"]);
      at = cut;
      this.#column = 1;
    }
    this.#column += to - at;
    return edits;
  }
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

function apply(chunk: Uint8Array, edits: readonly [number, Insertion][]): Uint8Array {
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

/** All of a message that is at hand, ready to be written at once: one copy is cheaper than a second system call. */
export function stuffWhole(content: Uint8Array, stuffer: Stuffer): Uint8Array {
  const body = stuffer.push(content), end = stuffer.end();
  const out = new Uint8Array(body.length + end.length);
  out.set(body);
  out.set(end, body.length);
  return out;
}
