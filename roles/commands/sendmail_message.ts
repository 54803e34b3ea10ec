/** The message on sendmail's standard input, made fit for the queue: lines that end in CRLF, and nothing before the header. */

import { concat, EMPTY } from "../../shared/bytes.ts";

/** Which lines lose the CRs before their LF (`sendmail_fix_line_endings`). */
export type FixLineEndings = "always" | "strict" | "never";

export interface MessageOptions {
  readonly fixLineEndings: FixLineEndings;
  /** A line with a lone dot ends the message. */
  readonly dotEnds: boolean;
}

/** A line longer than this is passed on in parts. */
const LINE_PART_BYTES = 64 * 1024;
/** How the line starts that mail files have before a message. */
const FROM_LINE = /^>?From /;

const CR = 13, LF = 10, SPACE = 32, DOT = 46;
const CRLF = new Uint8Array([CR, LF]);
const SPACES = new Uint8Array(LINE_PART_BYTES).fill(SPACE);
const latin1 = new TextDecoder("latin1");

/** The bytes of the message, CRLF after each line; a stray CR becomes a space, as it would in the SMTP client. */
export async function* messageLines(
  input: AsyncIterable<Uint8Array>,
  options: MessageOptions,
): AsyncGenerator<Uint8Array> {
  const lines = new Lines(options);
  for await (const chunk of input) {
    yield* lines.take(chunk);
    if (lines.ended) return;
  }
  yield* lines.end();
}

class Lines {
  /** After a lone dot. */
  ended = false;
  #carry: Uint8Array = EMPTY;
  /** The carry is the start of a line. */
  #atStart = true;
  /** No line of the message proper has been seen. */
  #beforeHeader = true;
  #skipping = false;
  #dropCr: boolean | undefined;
  /** CRs that the line had last: its end's, or stray. Counted, for there may be any number. */
  #crs = 0;

  constructor(readonly options: MessageOptions) {
    if (options.fixLineEndings !== "strict") this.#dropCr = options.fixLineEndings === "always";
  }

  *take(chunk: Uint8Array): Generator<Uint8Array> {
    const bytes = this.#carry.length ? concat([this.#carry, chunk]) : chunk;
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(LF, from);
      if (end < 0) break;
      yield* this.#line(bytes.subarray(from, end), true);
      if (this.ended) return;
      from = end + 1;
    }
    this.#carry = bytes.slice(from);
    if (this.#carry.length < LINE_PART_BYTES) return;
    yield* this.#line(this.#carry, false);
    this.#carry = EMPTY;
  }

  /** The last line may have no end. */
  *end(): Generator<Uint8Array> {
    if (this.#carry.length || !this.#atStart) yield* this.#line(this.#carry, true);
  }

  /** A whole line without its LF, or the next part of a long one. */
  *#line(line: Uint8Array, whole: boolean): Generator<Uint8Array> {
    const start = this.#atStart;
    this.#atStart = whole;
    if (start) {
      this.#skipping = this.#beforeHeader && FROM_LINE.test(latin1.decode(line.subarray(0, 6)));
    }
    if (this.#skipping) return;
    this.#beforeHeader = false;
    const text = line.subarray(0, lengthBeforeCrs(line));
    if (text.length) yield* this.#spaces();
    this.#crs += line.length - text.length;
    if (whole) this.#dropCr ??= this.#crs > 0;
    if (whole && this.#dropCr) this.#crs = 0;
    // With more CRs the line may have come in parts, or not.
    const isDot = text.length === 1 && text[0] === DOT && line.length < LINE_PART_BYTES;
    if (isDot && start && whole && !this.#crs && this.options.dotEnds) {
      this.ended = true;
      return;
    }
    yield text.includes(CR) ? text.map((byte) => byte === CR ? SPACE : byte) : text;
    if (!whole) return;
    yield* this.#spaces();
    yield CRLF;
  }

  /** The CRs were stray. */
  *#spaces(): Generator<Uint8Array> {
    for (; this.#crs > SPACES.length; this.#crs -= SPACES.length) yield SPACES;
    if (this.#crs) yield SPACES.subarray(0, this.#crs);
    this.#crs = 0;
  }
}

function lengthBeforeCrs(line: Uint8Array): number {
  let length = line.length;
  while (length && line[length - 1] === CR) length--;
  return length;
}
