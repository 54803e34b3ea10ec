/**
 * The addresses of a header or of sendmail's command line, as RFC 5322 3.4 writes them and as people do: display names,
 * comments, groups and routes are left out, `a b` is two addresses, and whatever is not closed ends with the text. A colon that
 * begins neither a group nor a route belongs to its address, as in Postfix: `a:b@x` is not the mailbox of `b@x`.
 * Not the reader of shared/mail/header_address.ts: that one replaces in place, and leaves alone what this one must guess.
 */

import { afterComment } from "../mail/header_address.ts";

const ATOM = /[^\s\p{Cc}()<>[\]:;@\\,."]+/uy;
const SPACE = /[\s\p{Cc}]+/uy;
const QUOTED = /"((?:[^"\\]|\\.)*)("|\\?$)/suy;
const LITERAL = /\[[^\[\]\\\s\p{Cc}]*\]?/uy;

/** Every address in internal form; empty ones (`<>`) are left out. */
export function addressList(text: string): string[] {
  return new List(text).read();
}

/** True for the null address, with or without its brackets. */
export function isNullAddress(text: string): boolean {
  return /^\s*(<\s*>\s*)?$/.test(text);
}

class List {
  #found: string[] = [];
  /** Addresses of the current item: a display name, should `<` follow; a group's name, should `:`. */
  #item: string[] = [];
  /** The address being put together; undefined between addresses. */
  #address: string | undefined;
  /** That ends in `@`, a dot or a colon of its own: what follows belongs to it. To look at its end each time would copy it. */
  #goesOn = false;
  #inBrackets = false;
  /** There was white space or a comment since the last token. */
  #spaced = false;
  #at = 0;
  /** Where the last group ends: no colon behind that begins one. */
  #groupsEnd = -1;

  constructor(readonly text: string) {}

  read(): string[] {
    this.#findGroups();
    while (this.#at < this.text.length) {
      if (this.#match(SPACE) !== undefined || this.#comment()) this.#spaced = true;
      else {
        const word = this.#word();
        if (word === undefined) this.#special(this.text[this.#at++]!);
        else this.#join(word);
        this.#spaced = false;
      }
    }
    this.#endItem();
    return this.#found;
  }

  #findGroups(): void {
    while (this.#at < this.text.length) {
      if (this.#match(SPACE) !== undefined || this.#comment() || this.#word() !== undefined) {
        continue;
      }
      if (this.text[this.#at] === ";") this.#groupsEnd = this.#at;
      this.#at++;
    }
    this.#at = 0;
  }

  #word(): string | undefined {
    return this.#match(ATOM) ?? this.#quoted() ?? this.#match(LITERAL);
  }

  #quoted(): string | undefined {
    const quoted = this.#match(QUOTED);
    if (quoted === undefined) return undefined;
    return quoted.slice(1).replace(/"$/, "").replace(/\\(.?)/gsu, "$1").replace(/\p{Cc}/gu, "");
  }

  /** Skips `( ... )`. */
  #comment(): boolean {
    if (this.text[this.#at] !== "(") return false;
    this.#at = afterComment(this.text, this.#at);
    return true;
  }

  #special(char: string): void {
    switch (char) {
      case "@":
      case ".":
        this.#address = (this.#address ?? "") + char;
        this.#goesOn = true;
        break;
      case "<":
        // All before it was a display name.
        this.#item = [];
        this.#address = undefined;
        this.#inBrackets = true;
        break;
      case ">":
        this.#endItem();
        break;
      case ":":
        this.#colon();
        break;
      case ",":
        if (!this.#isRoute) this.#endItem();
        break;
      case ";":
        this.#endItem();
    }
  }

  /** All before it was a group's name, or a route, or is a part of the address. */
  #colon(): void {
    const isEnd = this.#inBrackets ? this.#isRoute : this.#at <= this.#groupsEnd;
    if (isEnd) {
      this.#item = [];
      this.#address = undefined;
    } else {
      this.#address = (this.#address ?? "") + ":";
      this.#goesOn = true;
    }
  }

  /** What the brackets have so far goes on to a colon, over commas; without that, a comma says that they were not closed. */
  get #isRoute(): boolean {
    return this.#inBrackets && (this.#address?.startsWith("@") ?? false);
  }

  /** A word belongs to the address before it unless white space stands between, and neither `@` nor dot. */
  #join(word: string): void {
    const open = this.#address !== undefined &&
      (!this.#spaced || this.#inBrackets || this.#goesOn);
    if (open) this.#address += word;
    else {
      this.#endAddress();
      this.#address = word;
    }
    this.#goesOn = false;
  }

  #endAddress(): void {
    // With nothing behind its colon it was the name of a group without an end.
    if (this.#address && !(this.#goesOn && this.#address.endsWith(":"))) {
      this.#item.push(this.#address);
    }
    this.#address = undefined;
  }

  #endItem(): void {
    this.#endAddress();
    for (const address of this.#item) this.#found.push(address);
    this.#item = [];
    this.#inBrackets = false;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found) this.#at += found.length;
    return found || undefined;
  }
}
