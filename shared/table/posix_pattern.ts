/**
 * POSIX regular expressions, as `regexp:` tables have them (regexp_table(5), regex(7)), in the syntax of RE2. The two
 * differ in what a backslash means, inside brackets above all, in what may be repeated, and in the length of a character:
 * Postfix matches bytes.
 */

import { byteText, isAscii, textBytes, utf8Bytes } from "../bytes.ts";
import { bracket } from "./posix_bracket.ts";
import { type Notice, Unsupported } from "./rules.ts";

/** How a pattern is to be read. */
export interface PosixFlags {
  /** False: basic syntax, in which `\(`, `\|` and `\{` mean what `(`, `|` and `{` mean here. */
  readonly extended: boolean;
  readonly ignoreCase: boolean;
  /** REG_NEWLINE: `^` and `$` match at lines; `.` and `[^a]` match no line feed. */
  readonly newline: boolean;
}

/** POSIX's RE_DUP_MAX: no `{n}` is larger. */
const MAX_REPEATS = 32_767;
/** No `{n}` of RE2 is larger, since each costs memory and time for each character of a key. */
const RE2_MAX_REPEATS = 1000;
/** Groups in groups, up to here: a pattern must not exhaust the stack. */
const MAX_GROUP_NESTING = 200;

/**
 * The pattern in RE2's syntax, for text that `bytesOf()` made; throws what is wrong with it, or `Unsupported`. `notice`
 * hears of what is right, and probably not meant.
 */
export function posixPattern(
  pattern: string,
  flags: PosixFlags,
  notice: Notice = () => {},
): string {
  const parser = new Parser(bytesOf(pattern), flags), source = parser.whole();
  for (const letter of parser.letters) {
    const instead = INSTEAD[letter] ? `write ${INSTEAD[letter]}, or use pcre` : "it may need pcre";
    notice(`\\${letter} is the letter ${letter} in a regexp table: ${instead}`);
  }
  return source;
}

/** Text with a character for each byte of its UTF-8. */
export function bytesOf(text: string): string {
  if (isAscii(text)) return text;
  return byteText(utf8Bytes(text));
}

/** The text of which `bytesOf()` made this; half a character becomes U+FFFD. */
export function textOf(bytes: string): string {
  if (isAscii(bytes)) return bytes;
  return new TextDecoder().decode(textBytes(bytes));
}

/** A part of a pattern in RE2's syntax. */
interface Piece {
  readonly source: string;
  /** Whatever it matches starts with a letter, digit or underscore, and is not empty. */
  readonly startsWord: boolean;
  readonly endsWord: boolean;
}

const piece = (source: string, isWord = false): Piece => {
  return { source, startsWord: isWord, endsWord: isWord };
};

/** What matches between characters cannot be repeated. */
const ANCHORS = ["caret", "dollar", "edge"];

interface Token {
  readonly kind: string;
  readonly char: string;
}

const END: Token = { kind: "end", char: "" };

const EXTENDED: Readonly<Record<string, string>> = {
  ...{ "(": "open", ")": "close", "|": "or", "^": "caret", "$": "dollar" },
  ...{ "*": "repeat", "+": "repeat", "?": "repeat", "{": "repeat" },
};

/** GNU's letters after a backslash. */
const ESCAPES: Readonly<Record<string, Piece>> = {
  w: piece("[0-9A-Za-z_]", true),
  W: piece("[^0-9A-Za-z_]"),
  s: piece("[\\t-\\r ]"),
  S: piece("[^\\t-\\r ]"),
};
const EDGES: Readonly<Record<string, string>> = {
  ...{ b: "\\b", B: "\\B", "<": "\\b", ">": "\\b", "`": "\\A", "'": "\\z" },
};

/** Letters after a backslash that mean something in pcre, and only themselves here. */
const INSTEAD: Readonly<Record<string, string>> = { d: "[0-9]", D: "[^0-9]" };

class Parser {
  /** Letters that stood after a backslash, and mean only themselves there. */
  readonly letters = new Set<string>();
  #at = 0;
  #depth = 0;
  /** Groups that are complete: what a back-reference may name. */
  #closed = 0;

  constructor(readonly text: string, readonly flags: PosixFlags) {}

  whole(): string {
    const { source } = this.#alternatives();
    if (this.#at < this.text.length) throw new Error("unmatched ) in the pattern");
    return source;
  }

  #alternatives(): Piece {
    const all = [this.#branch()];
    while (this.#peek(false).kind === "or") {
      this.#read(false);
      all.push(this.#branch());
    }
    return {
      source: all.map(({ source }) => source).join("|"),
      startsWord: all.every(({ startsWord }) => startsWord),
      endsWord: all.every(({ endsWord }) => endsWord),
    };
  }

  #branch(): Piece {
    const pieces: Piece[] = [];
    /** The edge of a word was demanded before the next piece. */
    let word = false;
    for (let first = true;; first = false) {
      const { kind, char } = this.#peek(first);
      if (word && ["end", "or", "close", ...ANCHORS].includes(kind)) throw wordEdge("<");
      if (kind === "end" || kind === "or" || kind === "close") break;
      this.#read(first);
      if (kind === "repeat") throw new Error(`nothing before ${char} in the pattern`);
      if (char === ">" && kind === "edge" && !pieces.at(-1)?.endsWord) throw wordEdge(">");
      const next = ANCHORS.includes(kind)
        ? piece(this.#anchor(kind, char))
        : this.#repeated(this.#atom(kind, char));
      if (word && !next.startsWord) throw wordEdge("<");
      word = kind === "edge" && char === "<";
      pieces.push(next);
      // `^*` of the basic syntax begins with a star.
      if (kind === "caret" && !this.flags.extended) this.#literalStar(pieces);
    }
    return {
      source: pieces.map(({ source }) => source).join(""),
      startsWord: pieces[0]?.startsWord ?? false,
      endsWord: pieces.at(-1)?.endsWord ?? false,
    };
  }

  #literalStar(pieces: Piece[]): void {
    if (this.text[this.#at] !== "*") return;
    this.#at++;
    pieces.push(this.#repeated(this.#literal("*")));
  }

  #peek(first: boolean): Token {
    const before = this.#at, token = this.#read(first);
    this.#at = before;
    return token;
  }

  /** `first`: nothing stands before it in its branch, so some characters of the basic syntax mean themselves. */
  #read(first: boolean): Token {
    const char = this.text[this.#at];
    if (char === undefined) return END;
    this.#at++;
    if (char === "\\") return this.#escaped();
    if (char === "[") return { kind: "bracket", char };
    if (char === ".") return { kind: "dot", char };
    const kind = EXTENDED[char];
    if (kind === undefined) return { kind: "char", char };
    return { kind: this.#means(char, first) ? kind : "char", char };
  }

  #means(char: string, first: boolean): boolean {
    if (this.flags.extended) return char !== ")" || this.#depth > 0;
    if (char === "*") return !first;
    if (char === "^") return first;
    return char === "$" && /^(?:$|\\[)|])/.test(this.text.slice(this.#at, this.#at + 2));
  }

  #escaped(): Token {
    const char = this.text[this.#at++];
    if (char === undefined) throw new Error("the pattern ends in a backslash");
    if (!this.flags.extended && "()|{+?".includes(char)) return { kind: EXTENDED[char]!, char };
    if (char in ESCAPES) return { kind: "escape", char };
    if (char in EDGES) return { kind: "edge", char };
    if (/[A-Za-z]/.test(char)) this.letters.add(char);
    return { kind: /[1-9]/.test(char) ? "back" : "char", char };
  }

  #anchor(kind: string, char: string): string {
    if (kind === "edge") return EDGES[char]!;
    if (kind === "caret") return this.flags.newline ? "(?m:^)" : "\\A";
    return this.flags.newline ? "(?m:$)" : "\\z";
  }

  #atom(kind: string, char: string): Piece {
    switch (kind) {
      case "open":
        return this.#group();
      case "bracket": {
        const { source, end, isWord } = bracket(this.text, this.#at, this.flags);
        this.#at = end;
        return piece(source, isWord);
      }
      case "dot":
        return piece(this.flags.newline ? "[^\\n]" : "(?s:.)");
      case "escape":
        return ESCAPES[char]!;
      case "back":
        if (Number(char) > this.#closed) throw new Error(`\\${char} names no group before it`);
        throw new Unsupported(`a back-reference, \\${char}, is not supported`);
      default:
        return this.#literal(char);
    }
  }

  #literal(char: string): Piece {
    if (/[0-9_]/.test(char)) return piece(char, true);
    if (!/[A-Za-z]/.test(char)) return piece(`\\x{${char.charCodeAt(0).toString(16)}}`);
    const both = `[${char.toUpperCase()}${char.toLowerCase()}]`;
    return piece(this.flags.ignoreCase ? both : char, true);
  }

  #group(): Piece {
    if (++this.#depth > MAX_GROUP_NESTING) throw new Unsupported("groups nest too deep");
    const inside = this.#alternatives();
    if (this.#read(false).kind !== "close") throw new Error("unmatched ( in the pattern");
    this.#depth--;
    this.#closed++;
    return { ...inside, source: `(${inside.source})` };
  }

  #repeated(what: Piece): Piece {
    const { kind, char } = this.#peek(false);
    if (kind !== "repeat") return what;
    this.#read(false);
    const [min, max] = char === "{"
      ? this.#interval()
      : [char === "+" ? 1 : 0, char === "?" ? 1 : Infinity];
    const source = `(?:${what.source}){${min},${max < Infinity ? max : ""}}`;
    const isWord = { startsWord: min > 0 && what.startsWord, endsWord: min > 0 && what.endsWord };
    return this.#repeated({ ...isWord, source });
  }

  /** What follows `{`: `n}`, `n,}`, `,m}` or `n,m}`. */
  #interval(): [number, number] {
    const rest = this.text.slice(this.#at, this.#at + "32767,32767\\}".length);
    const match = /^([0-9]*)(,?)([0-9]*)(\\?)\}/.exec(rest);
    const closes = match && (match[4] === "") === this.flags.extended;
    if (!closes || !match[1] && !match[2]) throw new Error(`bad repetition: "{${rest}"`);
    this.#at += match[0].length;
    const min = Number(match[1]);
    const max = match[3] ? Number(match[3]) : match[2] ? Infinity : min;
    if (min > max || min > MAX_REPEATS || max < Infinity && max > MAX_REPEATS) {
      throw new Error(`bad repetition: "{${match[0]}"`);
    }
    if (min > RE2_MAX_REPEATS || max < Infinity && max > RE2_MAX_REPEATS) {
      throw new Unsupported(`more than ${RE2_MAX_REPEATS} repetitions are not supported`);
    }
    return [min, max];
  }
}

/** RE2 knows the edge of a word, not which of the two it is: that must follow from the letter beside it. */
function wordEdge(which: "<" | ">"): Unsupported {
  const side = which === "<" ? "after" : "before";
  return new Unsupported(`\\${which} is supported only with a letter right ${side} it`);
}
