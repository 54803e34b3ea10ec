/**
 * The members of a virtual alias (virtual(5)): addresses between commas and white space, with names and comments as in a
 * header. Not the reader of headers, which leaves alone what it cannot read: here that would be somebody who gets no mail.
 */

import { hasControl } from "../../shared/bytes.ts";
import { type Token, Tokens } from "../../shared/mail/header_address.ts";

/** What a table has of an alias. */
export interface List {
  /** In internal form. */
  readonly members: readonly string[];
  /** The first member is `@domain`: the user of the alias there. */
  readonly sameUser: boolean;
}

/** Every member; undefined where the text has anything that is no part of one, or nothing at all. */
export function readMembers(text: string): List | undefined {
  const reader = new Reader(), tokens = new Tokens(text, Infinity);
  for (let token = tokens.next(); token; token = tokens.next()) {
    if (!reader.take(token)) return undefined;
  }
  return reader.end() && reader.members.length ? reader : undefined;
}

class Reader implements List {
  readonly members: string[] = [];
  sameUser = false;
  /** Tokens that touch each other, since the last separator: addresses, or a name should `<` follow. */
  #pieces: Token[][] = [];
  #inAngles = false;

  /** False for what nobody can read. */
  take(token: Token): boolean {
    const { kind, text } = token;
    if (kind === "comment") return text !== "";
    if (kind !== "special" || isJoint(token)) this.#join(token);
    else if (text === "<") return this.#open();
    else if (text === ">") return this.#close();
    else if (text === "," || text === ";") return this.end();
    else return false;
    return true;
  }

  /** Takes what stands before a separator, or the end. */
  end(): boolean {
    if (this.#inAngles) return false;
    for (const piece of this.#pieces) {
      const address = toAddress(piece);
      if (address === undefined) return false;
      if (isAt(piece[0]!)) {
        if (this.members.length || address.lastIndexOf("@") > 0) return false;
        this.sameUser = true;
      }
      this.members.push(address);
    }
    this.#pieces = [];
    return true;
  }

  #join(token: Token): void {
    const piece = this.#pieces.at(-1);
    if (piece && piece.at(-1)!.end === token.start) piece.push(token);
    else this.#pieces.push([token]);
  }

  /** All before it was a name (RFC 5322 3.4); what has an `@` is an address, and somebody forgot a comma. */
  #open(): boolean {
    if (this.#inAngles || this.#pieces.some((piece) => piece.some(isAt))) return false;
    this.#pieces = [];
    return this.#inAngles = true;
  }

  #close(): boolean {
    if (!this.#inAngles || this.#pieces.length !== 1) return false;
    this.#inAngles = false;
    return this.end();
  }
}

function isAt({ kind, text }: Token): boolean {
  return kind === "special" && text === "@";
}

/** What stands between the words of an address. */
function isJoint({ kind, text }: Token): boolean {
  return kind === "special" && (text === "@" || text === ".");
}

/** `@domain`, or an address as a client's command has it: stray dots pass, and several `@`, of which the right-most counts. */
function toAddress(tokens: readonly Token[]): string | undefined {
  let address = "", inDomain = false;
  /** The last token was a word; there was one since the last `@`. */
  let afterWord = false, named = false;
  let last: Token | undefined;
  for (const token of tokens) {
    const { kind, text } = token, word = !isJoint(token);
    if (word && (afterWord || hasControl(text))) return undefined;
    if (kind === "quoted" && inDomain) return undefined;
    if (kind === "literal" && !(last && isAt(last))) return undefined;
    if (isAt(token)) {
      if (last && !named) return undefined;
      inDomain = true;
      named = false;
    } else named ||= word;
    address += text;
    afterWord = word;
    last = token;
  }
  return named ? address : undefined;
}
