/** The message on sendmail's standard input, made fit for the queue: lines that end in CRLF, and nothing before the header. */

/** Which lines lose the CR before their LF (`sendmail_fix_line_endings`). */
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
  #carry: Uint8Array = new Uint8Array(0);
  /** The carry is the start of a line. */
  #atStart = true;
  /** No line of the message proper has been seen. */
  #beforeHeader = true;
  #skipping = false;
  #dropCr: boolean | undefined;

  constructor(readonly options: MessageOptions) {
    if (options.fixLineEndings !== "strict") this.#dropCr = options.fixLineEndings === "always";
  }

  *take(chunk: Uint8Array): Generator<Uint8Array> {
    const bytes = this.#carry.length ? join(this.#carry, chunk) : chunk;
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
    // The last byte may be the CR of a line end.
    const part = this.#carry.subarray(0, -1);
    this.#carry = this.#carry.slice(-1);
    yield* this.#line(part, false);
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
    const crLast = whole && line.at(-1) === CR;
    if (whole) this.#dropCr ??= crLast;
    const text = crLast && this.#dropCr ? line.subarray(0, -1) : line;
    if (start && whole && this.options.dotEnds && text.length === 1 && text[0] === DOT) {
      this.ended = true;
      return;
    }
    yield text.includes(CR) ? text.map((byte) => byte === CR ? SPACE : byte) : text;
    if (whole) yield CRLF;
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
