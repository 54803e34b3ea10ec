/** The input of `sendmail -bs`: command lines, and content up to the lone dot (RFC 5321 4.5.2), its dots unstuffed. */

/** A longer command is none (RFC 5321 4.5.3.1.4 asks for 512). */
const MAX_COMMAND_BYTES = 12 * 1024;
/** A longer line of content is passed on in parts. */
const PART_BYTES = 64 * 1024;
const LF = 10, CR = 13, DOT = 46;

/** The input ended within a message: it must not be submitted. */
export class Incomplete extends Error {
  override name = "Incomplete";
}

export class SmtpInput {
  #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);
  #decoder = new TextDecoder();

  constructor(input: AsyncIterable<Uint8Array>) {
    this.#chunks = input[Symbol.asyncIterator]();
  }

  /** The next command without its line end; undefined at the end of the input. */
  async line(): Promise<{ text: string } | "too long" | undefined> {
    const line = await this.#take(MAX_COMMAND_BYTES);
    if (!line) return undefined;
    if (line.ended) return { text: this.#decoder.decode(withoutEnd(line.bytes)) };
    for (;;) {
      const rest = await this.#take(PART_BYTES);
      if (!rest) return undefined;
      if (rest.ended) return "too long";
    }
  }

  /** Lines and parts of lines with their line ends; throws Incomplete when the input ends before the dot. */
  async *content(): AsyncGenerator<Uint8Array> {
    for (let atStart = true;;) {
      const part = await this.#take(PART_BYTES);
      if (!part) throw new Incomplete("lost input within DATA");
      let { bytes } = part;
      if (atStart && bytes[0] === DOT) {
        if (part.ended && withoutEnd(bytes).length === 1) return;
        bytes = bytes.subarray(1);
      }
      atStart = part.ended;
      if (bytes.length) yield bytes;
    }
  }

  /** A line with its LF, or as much of it as may be taken; undefined at the end, where an unended line is dropped. */
  async #take(limit: number): Promise<{ bytes: Uint8Array; ended: boolean } | undefined> {
    for (let searched = 0;;) {
      const end = this.#held.indexOf(LF, searched);
      if (end >= 0 && end < limit) return { bytes: this.#cut(end + 1), ended: true };
      // The last byte may be the CR of a line end.
      if (this.#held.length > limit) return { bytes: this.#cut(limit - 1), ended: false };
      searched = this.#held.length;
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      const joined = new Uint8Array(this.#held.length + value.length);
      joined.set(this.#held);
      joined.set(value, this.#held.length);
      this.#held = joined;
    }
  }

  #cut(length: number): Uint8Array {
    const bytes = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return bytes;
  }
}

function withoutEnd(line: Uint8Array): Uint8Array {
  return line.subarray(0, line.at(-2) === CR ? -2 : -1);
}
