/**
 * Addresses in header values (RFC 5322 3.4 and the obsolete forms of 4.4): finds where each address stands, so that it can
 * be replaced while everything around it - display names, comments, groups, routes, folding - keeps its bytes.
 * What cannot be told for an address is left alone; shared/maildrop/address_list.ts must find one where this need not.
 */

import { external } from "./address.ts";

/** An address in a header value. */
export interface HeaderAddress {
  /** Where the address stands, from its first to after its last character. */
  readonly start: number;
  readonly end: number;
  /** Internal form, without source route. */
  readonly address: string;
  /** Comments inside it, to be kept when it is replaced. */
  readonly comments: string;
}

type Kind = "word" | "quoted" | "literal" | "comment" | "special";

/** A piece of a header value. */
export interface Token {
  readonly kind: Kind;
  readonly start: number;
  readonly end: number;
  /** Without quotes and backslashes; a special is its own text. Empty for a comment or special that never ends. */
  readonly text: string;
}

/** Comments nest no deeper than this; what is deeper is read as if it had ended. */
const MAX_COMMENT_DEPTH = 100;

/** Cuts a value into tokens (RFC 5322 3.2), at most `limit`: the rest of a longer value is not looked at. */
export class Tokens {
  #at = 0;
  left: number;

  constructor(readonly value: string, limit: number) {
    this.left = limit;
  }

  next(): Token | undefined {
    while (isSpace(this.value.charCodeAt(this.#at))) this.#at++;
    if (this.#at >= this.value.length || this.left-- <= 0) return undefined;
    const start = this.#at, first = this.value[start]!;
    if (first === '"') return this.#delimited("quoted", start, '"');
    if (first === "[") return this.#delimited("literal", start, "]");
    if (first === "(") return this.#comment(start);
    if (SPECIALS.includes(first)) {
      return { kind: "special", start, end: ++this.#at, text: first };
    }
    return this.#word(start);
  }

  /** An atom; a backslash takes the next character along (obs-qp in old local parts). */
  #word(start: number): Token {
    let text = "";
    while (this.#at < this.value.length) {
      const char = this.value[this.#at]!;
      if (isSpace(char.charCodeAt(0)) || ENDS_WORD.includes(char)) break;
      if (char === "\\" && this.#at + 1 < this.value.length) text += this.value[++this.#at];
      else text += char;
      this.#at++;
    }
    return { kind: "word", start, end: this.#at, text };
  }

  #delimited(kind: Kind, start: number, close: string): Token {
    let text = "";
    for (this.#at++; this.#at < this.value.length; this.#at++) {
      const char = this.value[this.#at]!;
      if (char === close) {
        this.#at++;
        return { kind, start, end: this.#at, text: kind === "literal" ? `[${text}]` : text };
      }
      if (char === "\\" && this.#at + 1 < this.value.length) text += this.value[++this.#at];
      else if (char !== "\r" && char !== "\n") text += char;
    }
    // It never ends: no part of an address.
    return { kind: "special", start, end: this.#at, text: "" };
  }

  #comment(start: number): Token {
    const end = commentEnd(this.value, start);
    this.#at = end ?? this.value.length;
    return { kind: "comment", start, end: this.#at, text: this.value.slice(start, end ?? start) };
  }
}

/** Where the comment that begins at `start` is over; the end of the text if it does not end (RFC 5322 3.2.2). */
export function afterComment(text: string, start: number): number {
  return commentEnd(text, start) ?? text.length;
}

function commentEnd(text: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === "\\") at++;
    else if (char === "(" && depth < MAX_COMMENT_DEPTH) depth++;
    else if (char === ")" && --depth === 0) return at + 1;
  }
  return undefined;
}

const SPECIALS = "<>,;:@.)]";
const ENDS_WORD = SPECIALS + '("[';

function isSpace(code: number): boolean {
  return code === 32 || code === 9 || code === 13 || code === 10;
}

/** The addresses of a header value, in their order; looks at no more than `tokenLimit` tokens. */
export function findAddresses(value: string, tokenLimit: number): HeaderAddress[] {
  const found: HeaderAddress[] = [];
  const tokens = new Tokens(value, tokenLimit);
  /** Tokens since the last separator, or inside the angle brackets. */
  let item: Token[] = [];
  let inAngles = false;
  const take = (angles: boolean) => {
    const address = toAddress(value, item, angles);
    if (address) found.push(address);
    item = [];
  };
  for (;;) {
    const token = tokens.next();
    if (!token) break;
    const special = token.kind === "special" ? token.text : undefined;
    if (inAngles) {
      if (special !== ">" && special !== "<") item.push(token);
      else {
        inAngles = false;
        if (special === ">") take(true);
        else item = [];
        // What follows up to the separator is no address.
        item.push(token);
      }
    } else if (special === "<") {
      item = [];
      inAngles = true;
    } else if (special === "," || special === ";") take(false);
    else if (special === ":") item = []; // The name of a group.
    else item.push(token);
  }
  // Cut off by the limit, the last one may be a part only.
  if (!inAngles && tokens.left >= 0) take(false);
  return found;
}

/** An address made of these tokens; undefined when they are none (RFC 5322 addr-spec, obs-local-part, obs-domain). */
function toAddress(value: string, item: Token[], angles: boolean): HeaderAddress | undefined {
  const plain = withoutRoute(item.filter((token) => token.kind !== "comment"), angles);
  if (!plain?.length) return undefined;
  let address = "", ats = 0, expectWord = true;
  for (const { kind, text } of plain) {
    const word = kind !== "special";
    // Two words side by side are a phrase, not an address.
    if (word ? !expectWord : text !== "." && text !== "@") return undefined;
    if (text === "@" && kind === "special" && (expectWord || ats++)) return undefined;
    if (kind === "literal" && !ats) return undefined;
    if (kind === "quoted" && ats) return undefined;
    address += text;
    expectWord = !word;
  }
  if (address.endsWith("@") || isEncodedWord(plain)) return undefined;
  const start = plain[0]!.start, end = plain.at(-1)!.end;
  const comments = item.filter(({ kind, start: at }) =>
    kind === "comment" && at > start && at < end
  );
  return {
    start,
    end,
    address,
    comments: comments.map((token) => value.slice(token.start, token.end)).join(" "),
  };
}

/** `<@one,@two:user@host>`: the route is left out, and where it stands it stays (RFC 5322 4.4). */
function withoutRoute(tokens: Token[], angles: boolean): Token[] | undefined {
  if (!angles || tokens[0]?.kind !== "special" || tokens[0].text !== "@") return tokens;
  const colon = tokens.findIndex(({ kind, text }) => kind === "special" && text === ":");
  return colon < 0 ? undefined : tokens.slice(colon + 1);
}

/** `=?utf-8?q?name?=` alone is a name without its address. */
function isEncodedWord(tokens: Token[]): boolean {
  return tokens.length === 1 && /^=\?.*\?=$/s.test(tokens[0]!.text);
}

/** Gives an address its new form; a promise where that has to be asked for. */
export type RewriteAddress = (address: string) => string | Promise<string>;

/** RFC 5322 2.1.1: what a line must not exceed, with room for the field's name, and what it better does not. */
const MAX_LINE = 900, GOOD_LINE = 78;
/** Between an address and the next. */
const SEPARATOR = /^>?[ \t]*,/;

/**
 * The value with each address rewritten; the same string when none changed. Where that makes a line too long, it is folded
 * between addresses.
 */
export async function rewriteAddresses(
  value: string,
  rewrite: RewriteAddress,
  tokenLimit: number,
): Promise<string> {
  const addresses = findAddresses(value, tokenLimit);
  if (!addresses.length) return value;
  const rewritten = await Promise.all(addresses.map(({ address }) => rewrite(address)));
  const compose = (folded: boolean) => {
    let result = "", at = 0;
    addresses.forEach(({ start, end, address, comments }, i) => {
      if (rewritten[i] === address) return;
      const next = external(rewritten[i]!) + (comments && ` ${comments}`);
      const between = value.slice(at, start);
      const comma = folded && at ? SEPARATOR.exec(between)?.[0].length : undefined;
      const fold = comma && lastLine(result) + between.length + next.length > GOOD_LINE;
      result += fold
        ? `${between.slice(0, comma)}\r\n\t${between.slice(comma).trimStart()}${next}`
        : between + next;
      at = end;
    });
    return at ? result + value.slice(at) : value;
  };
  const plain = compose(false);
  return plain !== value && plain.split("\n").some(({ length }) => length > MAX_LINE)
    ? compose(true)
    : plain;
}

function lastLine(text: string): number {
  return text.length - text.lastIndexOf("\n") - 1;
}
