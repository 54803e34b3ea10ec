/**
 * Reads message content as it comes from a client (RFC 5321 4.1.1.4, 4.5.2): finds the end of data, takes off the dots
 * of the transport, and makes every line end CRLF. A byte state machine that names what the previous byte was and starts
 * as if a line had just ended, so the same input cut in any way gives the same output.
 *
 * | what came                   | what it is                                                       |
 * |-----------------------------|------------------------------------------------------------------|
 * | `CR LF . CR LF`             | the end of data, and nothing else is (unless `lenient`)          |
 * | `.` at the start of a line  | dropped                                                          |
 * | `LF` without `CR`           | `CR LF`; `bareLf` tells                                          |
 * | several `CR`, then `LF`     | `CR LF`: so Postfix, and an empty line stays one; ends no data   |
 * | `CR` without `LF`           | a space                                                          |
 *
 * Bytes that need no change are passed on as views into the chunk that they came in.
 */

import { skipText, wordsOf } from "./skip_text.ts";

const LF = 10, CR = 13, DOT = 46;
const CRLF = Uint8Array.of(CR, LF);
/** A run of CR is held back up to here; of a longer one this many are passed on as what they are not, a line end's. */
export const MAX_HELD_CRS = 64 * 1024;
const SPACES = new Uint8Array(MAX_HELD_CRS).fill(32);

/** What the bytes so far ended with. */
const enum After {
  TEXT,
  /** CRs that are not passed on yet. */
  CR,
  CRLF,
  BARE_LF,
  /** A dot at the start of a line, which is not passed on. */
  DOT,
  /** That dot, and a CR that is not passed on yet. */
  DOT_CR,
}

export interface ReaderOptions {
  /** Content of DATA, with dots and an end mark; without, BDAT's. */
  readonly dots: boolean;
  /** `smtpd_forbid_bare_newline = no`: a bare LF ends lines everywhere, in the end mark too. */
  readonly lenient: boolean;
}

export class ContentReader {
  /** A line ended in LF alone. */
  bareLf = false;
  /** Bytes passed on. */
  size = 0;
  #after: After = After.CRLF;
  /** How many CRs are held back. */
  #crs = 0;
  #ended = false;
  /** Where in the chunk the bytes begin that are not passed on yet. */
  #from = 0;

  constructor(readonly options: ReaderOptions) {}

  /** Passes on a chunk as views in `out`; gives how many of its bytes are content, the end mark included. */
  push(chunk: Uint8Array, out: Uint8Array[]): number {
    const words = wordsOf(chunk);
    this.#from = 0;
    for (let at = 0; at < chunk.length;) {
      // Nearly every byte of every message ends here.
      if (this.#after === After.TEXT) {
        for (at = skipText(words, at); at < chunk.length && chunk[at]! > CR;) at++;
        if (at === chunk.length) break;
      }
      at = this.#step(chunk, at, out);
      if (this.#ended) return at;
    }
    const after = this.#after;
    const held = after === After.CR || after === After.DOT_CR || after === After.DOT;
    if (!held) this.#pass(chunk, chunk.length, out);
    return chunk.length;
  }

  /** Takes the byte at `at`, or the CR LF there; gives where the next one is. */
  #step(chunk: Uint8Array, at: number, out: Uint8Array[]): number {
    const { dots, lenient } = this.options, after = this.#after, byte = chunk[at]!;
    if (after === After.CR || after === After.DOT_CR) return this.#afterCr(chunk, at, out);
    if (after === After.DOT && byte === CR) {
      this.#after = After.DOT_CR;
      this.#crs = 1;
    } else if (after === After.DOT && byte === LF) {
      if (!lenient) return this.#bare(at, out);
      this.bareLf = true;
      return this.#end(at + 1);
    } else if (after === After.DOT) {
      this.#from = at;
      return this.#text(chunk, at, out);
    } else if (after !== After.TEXT && byte === DOT && dots) {
      this.#pass(chunk, at, out);
      // After a bare LF no dot can begin the end mark.
      this.#after = after === After.CRLF || lenient ? After.DOT : After.TEXT;
    } else return this.#text(chunk, at, out);
    return at + 1;
  }

  /** The byte behind CRs that were held back. */
  #afterCr(chunk: Uint8Array, at: number, out: Uint8Array[]): number {
    const byte = chunk[at]!;
    if (byte === LF && this.#after === After.DOT_CR) return this.#end(at + 1);
    if (byte === CR) return this.#hold(at, out);
    if (byte !== LF) {
      this.#spaces(out);
      this.#from = at;
      return this.#text(chunk, at, out);
    }
    this.#crs = 0;
    this.#emit(CRLF, out);
    this.#from = at + 1;
    this.#after = After.CRLF;
    return at + 1;
  }

  /** A byte that means what it says wherever it stands. */
  #text(chunk: Uint8Array, at: number, out: Uint8Array[]): number {
    const byte = chunk[at]!;
    if (byte === CR && chunk[at + 1] === LF) {
      this.#after = After.CRLF;
      return at + 2;
    }
    if (byte !== CR && byte !== LF) {
      this.#after = After.TEXT;
      return at + 1;
    }
    this.#pass(chunk, at, out);
    if (byte === LF) return this.#bare(at, out);
    return this.#hold(at, out);
  }

  /** Takes the CR at `at` into the run. A dot before it is none of the end mark's, in whose line there is one CR only. */
  #hold(at: number, out: Uint8Array[]): number {
    this.#after = After.CR;
    if (++this.#crs === MAX_HELD_CRS) this.#spaces(out);
    return at + 1;
  }

  /** The CRs that are held back end no line. */
  #spaces(out: Uint8Array[]): void {
    if (this.#crs) this.#emit(SPACES.subarray(0, this.#crs), out);
    this.#crs = 0;
  }

  /** The end mark was read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** BDAT LAST: what was held back is passed on, and the last line ends. */
  finish(out: Uint8Array[]): void {
    this.#spaces(out);
    if (this.#after === After.CR || this.#after === After.TEXT) this.#emit(CRLF, out);
    this.#after = After.CRLF;
    this.#ended = true;
  }

  /** Passes on what comes before `at`; the byte there is not passed on. */
  #pass(chunk: Uint8Array, at: number, out: Uint8Array[]): void {
    const from = this.#from;
    if (from < at) this.#emit(from || at < chunk.length ? chunk.subarray(from, at) : chunk, out);
    this.#from = at + 1;
  }

  /** The LF at `at` is a line end all the same. */
  #bare(at: number, out: Uint8Array[]): number {
    this.bareLf = true;
    this.#emit(CRLF, out);
    this.#from = at + 1;
    this.#after = After.BARE_LF;
    return at + 1;
  }

  #emit(bytes: Uint8Array, out: Uint8Array[]): void {
    this.size += bytes.length;
    out.push(bytes);
  }

  #end(consumed: number): number {
    this.#ended = true;
    return consumed;
  }
}
