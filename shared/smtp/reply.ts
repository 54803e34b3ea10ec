/**
 * Replies of an SMTP server (RFC 5321 4.2) with their enhanced status codes (RFC 2034). A reply is a value: only the
 * session writes it to the client.
 */

import { isAscii } from "../bytes.ts";
import { withoutControls } from "../log/printable.ts";

/** Text of more bytes than this is cut: RFC 5321 4.5.3.1.5 gives a reply line 512. */
const MAX_TEXT_BYTES = 510;
const encoder = new TextEncoder();

/** One reply. */
export class Reply {
  readonly code: number;
  /** `5.1.1`, or empty where the reply has none (EHLO, 354, the greeting). */
  readonly dsn: string;
  /** Lines; more than one only for EHLO and HELP. Printable whatever came in. */
  readonly lines: readonly string[];
  #wire: string | undefined;

  constructor(code: number, dsn: string, text: string | readonly string[]) {
    const digit = String(code)[0]!;
    this.code = code;
    this.dsn = dsn && dsn[0] !== digit ? digit + dsn.slice(1) : dsn;
    this.lines = (typeof text === "string" ? [text] : text).map(fit);
  }

  /** After 421 and 521 the server closes (RFC 5321 3.8, RFC 7504). */
  get closes(): boolean {
    return this.code === 421 || this.code === 521;
  }

  /** What goes to the client, with line ends. */
  get wire(): string {
    if (this.#wire !== undefined) return this.#wire;
    const dsn = this.dsn && `${this.dsn} `, last = this.lines.length - 1;
    return (this.#wire = this.lines
      .map((line, n) => `${this.code}${n < last ? "-" : " "}${dsn}${line}\r\n`).join(""));
  }

  /** As one line, for the log. */
  get text(): string {
    return `${this.code} ${this.dsn && `${this.dsn} `}${this.lines.join(" ")}`;
  }

  /** The same with 4xx for 5xx, as `soft_bounce` asks. */
  soft(): Reply {
    return this.code < 500 ? this : new Reply(this.code - 100, this.dsn, this.lines);
  }
}

/** A reply; `dsn` starts with the code's first digit, or is empty. */
export function reply(code: number, dsn: string, text: string | readonly string[]): Reply {
  return new Reply(code, dsn, text);
}

function fit(text: string): string {
  const cut = withoutControls(text.slice(0, MAX_TEXT_BYTES));
  if (isAscii(cut)) return cut;
  const { read } = encoder.encodeInto(cut, new Uint8Array(MAX_TEXT_BYTES));
  return cut.slice(0, read);
}
