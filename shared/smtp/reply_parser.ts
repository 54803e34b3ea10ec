/**
 * Replies of an SMTP or LMTP server (RFC 5321 4.2), cut out of a byte stream however it arrives. What is remembered
 * from one reply never reaches the next: each starts from nothing.
 */

import { EMPTY } from "../bytes.ts";
import { PeerError } from "../errors.ts";
import { withoutControls } from "../log/printable.ts";

export interface ReplyLimits {
  /** Bytes of one line that are kept; the rest of it is read and dropped. */
  readonly lineBytes: number;
  readonly lines: number;
  /** Bytes of one reply, dropped ones included: a server that never ends its reply would hold us forever. */
  readonly replyBytes: number;
}

const LIMITS: ReplyLimits = { lineBytes: 4096, lines: 1000, replyBytes: 128 * 1024 };

const LF = 10, CR = 13, SPACE = 32, HYPHEN = 45, DOT = 46, DIGIT_0 = 48, DIGIT_9 = 57;
const decoder = new TextDecoder();

/** One reply. Texts are made when asked for: most replies are only looked at for their code. */
export class Reply {
  constructor(
    /** 200 to 599, of the last line, or 0 when the server sent something that is no reply. */
    readonly code: number,
    readonly raw: readonly Uint8Array[],
  ) {}

  /** Each line begins with the same code (RFC 5321 4.2.1); without, nobody knows whether this is one reply or parts of two. */
  get isWhole(): boolean {
    return this.code > 0 && this.raw.every((line) => replyCode(line) === this.code);
  }

  /** 2 to 5, or 0. */
  get class(): number {
    return Math.floor(this.code / 100);
  }

  /** The enhanced status code (RFC 2034) of the last line, or of the first that has one; empty without. */
  get enhanced(): string {
    for (const line of [this.raw[this.raw.length - 1]!, ...this.raw]) {
      const found = enhancedCode(line, this.class);
      if (found) return found;
    }
    return "";
  }

  /** The enhanced status code, or the class and `.0.0`. */
  get dsn(): string {
    return this.enhanced || `${this.class || 4}.${this.class ? 0 : 5}.0`;
  }

  /** All lines as they came, joined by spaces, made printable. */
  get text(): string {
    return this.raw.map(printableText).join(" ");
  }

  /** Each line without its code; lines that have none are left out. */
  get lines(): string[] {
    return this.raw.filter(replyCode).map((line) => printableText(line).slice(4));
  }
}

/** Cuts bytes into replies. */
export class ReplyParser {
  /** The line that has begun, as far as it is kept. */
  #line: Uint8Array = EMPTY;
  #lines: Uint8Array[] = [];
  #bytes = 0;

  constructor(readonly limits: ReplyLimits = LIMITS) {}

  /** Nothing has been received of a reply that is not complete. */
  get idle(): boolean {
    return this.#bytes === 0;
  }

  /** Takes what arrived and calls `take` for each whole reply; throws PeerError beyond the limits. */
  push(data: Uint8Array, take: (reply: Reply) => void): void {
    for (let at = 0; at < data.length;) {
      const end = data.indexOf(LF, at);
      const upTo = end < 0 ? data.length : end + 1;
      this.#bytes += upTo - at;
      if (this.#bytes > this.limits.replyBytes) {
        throw new PeerError(`reply longer than ${this.limits.replyBytes} bytes`);
      }
      const part = data.subarray(at, end < 0 ? upTo : end);
      if (end < 0) this.#line = this.#joined(part).slice();
      else this.#endOfLine(this.#joined(part), take);
      at = upTo;
    }
  }

  #joined(part: Uint8Array): Uint8Array {
    const { lineBytes } = this.limits;
    if (this.#line.length === 0) {
      return part.length > lineBytes ? part.subarray(0, lineBytes) : part;
    }
    const room = Math.max(0, lineBytes - this.#line.length);
    const more = part.length > room ? part.subarray(0, room) : part;
    const whole = new Uint8Array(this.#line.length + more.length);
    whole.set(this.#line);
    whole.set(more, this.#line.length);
    return whole;
  }

  #endOfLine(line: Uint8Array, take: (reply: Reply) => void): void {
    this.#line = EMPTY;
    if (line[line.length - 1] === CR) line = line.subarray(0, line.length - 1);
    this.#lines.push(line);
    const code = replyCode(line);
    // What stands between the lines of a reply does not end it.
    if (code ? line[3] === HYPHEN : this.#lines.length > 1) {
      if (this.#lines.length < this.limits.lines) return;
      throw new PeerError(`reply of more than ${this.limits.lines} lines`);
    }
    const reply = new Reply(code, this.#lines);
    this.#lines = [];
    this.#bytes = 0;
    take(reply);
  }
}

/** The code at the start of a line, 200 to 599 and followed by a space, a hyphen or nothing; else 0. */
function replyCode(line: Uint8Array): number {
  const first = line[0]! - DIGIT_0, second = line[1]! - DIGIT_0, third = line[2]! - DIGIT_0;
  const fits = first >= 2 && first <= 5 && second >= 0 && second <= 9 && third >= 0 && third <= 9 &&
    (line.length === 3 || line[3] === SPACE || line[3] === HYPHEN);
  return fits ? first * 100 + second * 10 + third : 0;
}

/** `x.y.z` after the reply code, when its class is the code's (RFC 3463 2); else empty. */
function enhancedCode(line: Uint8Array, replyClass: number): string {
  let at = 4, text = "";
  for (let part = 0; part < 3; part++) {
    const from = at;
    while (at < line.length && line[at]! >= DIGIT_0 && line[at]! <= DIGIT_9) at++;
    if (at === from || at - from > (part === 0 ? 1 : 3)) return "";
    text += String.fromCharCode(...line.subarray(from, at));
    if (part === 2) break;
    if (line[at] !== DOT) return "";
    text += ".";
    at++;
  }
  if (at < line.length && line[at] !== SPACE) return "";
  return Number(text[0]) === replyClass && replyClass !== 3 ? text : "";
}

/** The text goes into logs, reports and reasons. */
function printableText(line: Uint8Array): string {
  return withoutControls(decoder.decode(line));
}
