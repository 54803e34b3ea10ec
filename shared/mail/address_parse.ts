/**
 * The path of MAIL FROM and RCPT TO (RFC 5321 4.1.2), read with a cursor. Takes what Postfix takes with
 * `strict_rfc821_envelopes = no`: no angle brackets, spaces inside them, stray dots, several `@`. Refuses comments,
 * control characters and everything that would mean something else to the next reader.
 */

import { MAX_ADDRESS } from "./envelope.ts";

/** A path as it was read. */
export interface Path {
  /** Internal form, without source route; empty for `<>`. */
  readonly address: string;
  /** What follows the path: the ESMTP parameters, without leading spaces. */
  readonly rest: string;
}

/**
 * Reads a path at the start of the text after `FROM:` or `TO:`; undefined if there is none (RFC 5321 4.1.2). With
 * `nullDomain`, `user@` is one, too: `resolve_null_domain`.
 */
export function parsePath(text: string, nullDomain = false): Path | undefined {
  const cursor = new Cursor(text, nullDomain);
  cursor.spaces();
  const bracketed = cursor.take("<");
  if (bracketed) cursor.spaces();
  const address = bracketed && cursor.at(">") ? "" : cursor.mailbox();
  if (address === undefined || address.length > MAX_ADDRESS) return undefined;
  if (bracketed) {
    cursor.spaces();
    if (!cursor.take(">")) return undefined;
  }
  if (!cursor.ended() && !cursor.at(" ") && !cursor.at("\t")) return undefined;
  cursor.spaces();
  return { address, rest: cursor.rest() };
}

/** An atom's characters (RFC 5321 4.1.2, RFC 6532 3.2); no C1 controls, no half of a surrogate pair. */
const ATOM = /[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a0-\u{d7ff}\u{e000}-\u{10ffff}-]+/uy;
/** Inside quotes, up to the next quote or backslash. */
const QUOTED_TEXT = /[ !#-[\]-~\u00a0-\u{d7ff}\u{e000}-\u{10ffff}]+/uy;
const DOMAIN_LITERAL = /\[[!-Z^-~]*\]/y;

/** `take`: was it there? Each rule returns undefined where it does not match. */
class Cursor {
  #position = 0;

  constructor(readonly text: string, readonly nullDomain: boolean) {}

  at(char: string): boolean {
    return this.text[this.#position] === char;
  }

  take(char: string): boolean {
    if (!this.at(char)) return false;
    this.#position++;
    return true;
  }

  ended(): boolean {
    return this.#position >= this.text.length;
  }

  rest(): string {
    return this.text.slice(this.#position);
  }

  spaces(): void {
    while (this.take(" ") || this.take("\t"));
  }

  /** [ source route ] local part [ "@" domain ]...: the right-most `@` counts, the others are left to resolve. */
  mailbox(): string | undefined {
    if (this.at("@") && !this.route()) return undefined;
    let address = this.local();
    while (address !== undefined && this.take("@")) {
      const domain = this.domain() ?? (this.nullDomain ? "" : undefined);
      if (domain === undefined || address.length > MAX_ADDRESS) return undefined;
      address += `@${domain}`;
    }
    return address;
  }

  /** `@one,@two:` must be accepted and should be ignored (RFC 5321 3.6.1, appendix C). */
  route(): boolean {
    do {
      if (!this.take("@") || this.domain() === undefined) return false;
    } while (this.take(","));
    return this.take(":");
  }

  /** Atoms and quoted strings between dots; the result is unquoted. */
  local(): string | undefined {
    let local = "", words = 0;
    for (;;) {
      const word = this.at('"') ? this.quoted() : this.match(ATOM);
      if (word !== undefined) words++;
      else if (this.at('"')) return undefined;
      local += word ?? "";
      if (!this.take(".")) break;
      local += ".";
    }
    return words ? local : undefined;
  }

  quoted(): string | undefined {
    const start = this.#position++;
    let text = "";
    for (;;) {
      text += this.match(QUOTED_TEXT) ?? "";
      if (this.take('"')) return text;
      const pair = this.take("\\") ? this.match(PAIRED) : undefined;
      if (pair === undefined) break;
      text += pair;
    }
    this.#position = start;
    return undefined;
  }

  /** A literal, or atoms between dots; one trailing dot is rewrite's to take off. */
  domain(): string | undefined {
    if (this.at("[")) return this.match(DOMAIN_LITERAL);
    const start = this.#position;
    while (this.match(ATOM) !== undefined || this.take("."));
    return this.text.slice(start, this.#position) || undefined;
  }

  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) return undefined;
    this.#position += found.length;
    return found;
  }
}

/** What a backslash may stand before (RFC 5321 4.1.2 quoted-pairSMTP). */
const PAIRED = /[ -~]/y;
