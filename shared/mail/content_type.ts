/** The values of Content-Type and Content-Transfer-Encoding (RFC 2045 5.1, 6.1), as far as the structure of a message hangs on them. */

export interface ContentType {
  /** In lower case: `multipart/mixed`. */
  readonly type: string;
  /** Of a multipart; empty without. */
  readonly boundary: string;
}

/** One character is one byte. What cannot be read is text/plain, as RFC 2045 5.2 has it for what is missing. */
export function parseContentType(value: string): ContentType {
  const cursor = new Cursor(value);
  const major = cursor.token(), slash = cursor.take("/"), minor = cursor.token();
  if (!major || !slash || !minor) return { type: "text/plain", boundary: "" };
  const type = `${major}/${minor}`.toLowerCase();
  while (cursor.skipTo(";")) {
    const name = cursor.token().toLowerCase();
    if (name === "boundary" && cursor.take("=")) return { type, boundary: cursor.value() };
  }
  return { type, boundary: "" };
}

/** The mechanism of a Content-Transfer-Encoding in lower case, whatever follows it; empty when there is none. */
export function parseEncoding(value: string): string {
  return new Cursor(value).token().toLowerCase();
}

/** RFC 2045 5.1: what a token may not have. */
const NOT_IN_TOKEN = /[^\u0021-\u007e]|[()<>@,;:\\"/[\]?=]/;
/** What ends a value without quotes: the next parameter, white space, a comment. */
const AFTER_VALUE = /[; \t\r\n(]/;

class Cursor {
  #at = 0;

  constructor(readonly text: string) {}

  /** RFC 2045 5.1 `token`, after white space and comments; empty when there is none. */
  token(): string {
    return this.#until(NOT_IN_TOKEN);
  }

  /** RFC 2045 5.1 `value`. Many leave out the quotes that it needs: `boundary=----=_Part` is read as it is meant. */
  value(): string {
    return this.quoted() ?? this.#until(AFTER_VALUE);
  }

  take(character: string): boolean {
    this.#skipComments();
    if (this.text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  /** RFC 5322 3.2.4 `quoted-string`; undefined when there is none. One without an end goes to the end. */
  quoted(): string | undefined {
    if (!this.take('"')) return undefined;
    let found = "";
    while (this.#at < this.text.length) {
      const character = this.text[this.#at++]!;
      if (character === '"') break;
      found += character === "\\" ? this.text[this.#at++] ?? "" : character;
    }
    return found;
  }

  /** Goes on after the next `character` that is in no quoted string and no comment. */
  skipTo(character: string): boolean {
    for (;;) {
      if (this.take(character)) return true;
      if (this.#at >= this.text.length) return false;
      if (this.quoted() === undefined) this.#at++;
    }
  }

  #until(end: RegExp): string {
    this.#skipComments();
    const from = this.#at;
    while (this.#at < this.text.length && !end.test(this.text[this.#at]!)) this.#at++;
    return this.text.slice(from, this.#at);
  }

  /** White space and comments (RFC 5322 3.2.2), nested ones too. */
  #skipComments(): void {
    let depth = 0;
    for (; this.#at < this.text.length; this.#at++) {
      const character = this.text[this.#at]!;
      if (character === "(") depth++;
      else if (character === ")" && depth) depth--;
      else if (depth === 0 && !/[ \t\r\n]/.test(character)) return;
      else if (character === "\\" && depth) this.#at++;
    }
  }
}
