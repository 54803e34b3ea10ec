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
 * | `CR` without `LF`           | a space                                                          |
 *
 * Bytes that need no change are passed on as views into the chunk that they came in.
 */

import { skipText, wordsOf } from "../../shared/mail/scan.ts";

const LF = 10, CR = 13, DOT = 46;
const CRLF = Uint8Array.of(CR, LF);
const SPACE = Uint8Array.of(32);

/** What the bytes so far ended with. */
const enum After {
  TEXT,
  /** A CR that is not passed on yet. */
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
  #ended = false;

  constructor(readonly options: ReaderOptions) {}

  /** Passes on a chunk as views in `out`; gives how many of its bytes are content, the end mark included. */
  push(chunk: Uint8Array, out: Uint8Array[]): number {
    const { dots, lenient } = this.options;
    const length = chunk.length;
    const words = wordsOf(chunk);
    let after = this.#after;
    let from = 0;
    for (let at = 0; at < length; at++) {
      const byte = chunk[at]!;
      if (after === After.TEXT) {
        // Nearly every byte of every message ends here.
        if (byte > CR || (byte !== CR && byte !== LF)) {
          at = skipText(words, at + 1) - 1;
          continue;
        }
        if (byte === CR) {
          if (at + 1 < length && chunk[at + 1] === LF) {
            at++;
            after = After.CRLF;
          } else {
            from = this.#pass(chunk, from, at, out);
            after = After.CR;
          }
        } else {
          from = this.#pass(chunk, from, at, out);
          after = this.#bare(out);
        }
        continue;
      }
      if (after === After.CR || after === After.DOT_CR) {
        // The CR was held back: `from` is at this byte.
        from = at;
        if (byte === LF) {
          if (after === After.DOT_CR) return this.#end(at + 1);
          this.#emit(CRLF, out);
          from = at + 1;
          after = After.CRLF;
          continue;
        }
        this.#emit(SPACE, out);
        after = After.TEXT;
      } else if (after === After.DOT) {
        if (byte === CR) {
          after = After.DOT_CR;
          continue;
        }
        if (byte === LF) {
          this.bareLf = true;
          if (lenient) return this.#end(at + 1);
          after = this.#bare(out);
          from = at + 1;
          continue;
        }
        from = at;
        after = After.TEXT;
      } else if (byte === DOT && dots) {
        this.#pass(chunk, from, at, out);
        from = at + 1;
        // After a bare LF no dot can begin the end mark.
        after = after === After.CRLF || lenient ? After.DOT : After.TEXT;
        continue;
      }
      // An ordinary byte, or the first of a line.
      if (byte === CR && at + 1 < length && chunk[at + 1] === LF) {
        at++;
        after = After.CRLF;
      } else if (byte === CR) {
        from = this.#pass(chunk, from, at, out);
        after = After.CR;
      } else if (byte === LF) {
        from = this.#pass(chunk, from, at, out);
        after = this.#bare(out);
      } else after = After.TEXT;
    }
    this.#after = after;
    const held = after === After.CR || after === After.DOT_CR || after === After.DOT;
    if (!held && from < length) this.#emit(from ? chunk.subarray(from) : chunk, out);
    return length;
  }

  /** The end mark was read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** BDAT LAST: what was held back is passed on, and the last line ends. */
  finish(out: Uint8Array[]): void {
    if (this.#after === After.CR) this.#emit(SPACE, out);
    if (this.#after === After.CR || this.#after === After.TEXT) this.#emit(CRLF, out);
    this.#after = After.CRLF;
    this.#ended = true;
  }

  /** Passes on what comes before `at`; gives where the next view begins. */
  #pass(chunk: Uint8Array, from: number, at: number, out: Uint8Array[]): number {
    if (from < at) this.#emit(chunk.subarray(from, at), out);
    return at + 1;
  }

  #bare(out: Uint8Array[]): After {
    this.bareLf = true;
    this.#emit(CRLF, out);
    return After.BARE_LF;
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
