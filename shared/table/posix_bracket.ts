/** Bracket expressions of POSIX regular expressions, `[^a-z[:digit:]]`, in which a backslash is a character. */

/** The characters of each class, in the C locale. */
const CLASSES: Readonly<Record<string, RegExp>> = {
  alpha: /[A-Za-z]/,
  digit: /[0-9]/,
  alnum: /[0-9A-Za-z]/,
  upper: /[A-Z]/,
  lower: /[a-z]/,
  space: /[\t-\r ]/,
  blank: /[\t ]/,
  punct: /[!-/:-@[-`{-~]/,
  print: /[ -~]/,
  graph: /[!-~]/,
  // deno-lint-ignore no-control-regex
  cntrl: /[\0-\x1f\x7f]/,
  xdigit: /[0-9A-Fa-f]/,
};

/** The characters of text that `bytesOf()` made. */
const BYTES = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));

interface Bracket {
  /** In RE2's syntax. */
  readonly source: string;
  /** The index after the closing bracket. */
  readonly end: number;
  /** True when it matches only letters, digits and the underscore. */
  readonly isWord: boolean;
}

/** Reads what follows `[`; throws what is wrong with it. */
export function bracket(
  text: string,
  start: number,
  { ignoreCase, newline }: { ignoreCase: boolean; newline: boolean },
): Bracket {
  const negated = text[start] === "^";
  // Capitals stand for both, also at the ends of a range: [A-z] is A to Z where case does not count.
  const fold = (byte: string) => ignoreCase && /[a-z]/.test(byte) ? byte.toUpperCase() : byte;
  const { bytes, end } = members(text, negated ? start + 1 : start, fold);
  const has = (byte: string) => bytes.has(fold(byte));
  const matched = BYTES.filter((byte) =>
    has(byte) !== negated && !(negated && newline && byte === "\n")
  );
  return { source: written(matched), end, isWord: matched.every((byte) => /\w/.test(byte)) };
}

function members(
  text: string,
  start: number,
  fold: (byte: string) => string,
): { bytes: Set<string>; end: number } {
  const bytes = new Set<string>();
  for (let at = start;;) {
    if (text[at] === "]" && at > start) return { bytes, end: at + 1 };
    // A hyphen stands first or last, or for a range.
    if (text[at] === "-" && at > start && text[at + 1] !== "]") throw badRange(text, start);
    const from = member(text, at);
    at = from.end;
    if (text[at] !== "-" || text[at + 1] === "]") {
      for (const byte of from.bytes) bytes.add(fold(byte));
      continue;
    }
    const to = member(text, at + 1);
    at = to.end;
    const [first = "", last = ""] = [from, to].map(({ bytes, isClass }) =>
      isClass ? "" : fold(bytes[0]!)
    );
    if (!first || !last || first > last) throw badRange(text, start);
    for (const byte of BYTES) if (byte >= first && byte <= last) bytes.add(fold(byte));
  }
}

/** One character, `[.c.]`, `[=c=]` or `[:class:]`. */
function member(text: string, at: number): { bytes: string[]; isClass: boolean; end: number } {
  const char = text[at];
  if (char === undefined) throw new Error("unmatched [ in the pattern");
  const kind = text[at + 1];
  if (char !== "[" || !kind || !":.=".includes(kind)) {
    return { bytes: [char], isClass: false, end: at + 1 };
  }
  const close = text.indexOf(`${kind}]`, at + 2);
  if (close < 0) throw new Error("unmatched [ in the pattern");
  const name = text.slice(at + 2, close), end = close + 2;
  if (kind === ":") {
    const known = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
    if (!known) throw new Error(`unknown character class: "[:${name}:]"`);
    return { bytes: BYTES.filter((byte) => known.test(byte)), isClass: true, end };
  }
  if (name.length !== 1) throw new Error(`unknown collation character: "${name}"`);
  return { bytes: [name], isClass: kind === "=", end };
}

function badRange(text: string, start: number): Error {
  return new Error(`bad range in "[${text.slice(start).replace(/\].*$/s, "]")}"`);
}

/** The characters as a class of RE2. */
function written(bytes: readonly string[]): string {
  const codes = bytes.map((byte) => byte.charCodeAt(0));
  const hex = (code: number) => `\\x{${code.toString(16)}}`;
  let source = "";
  for (let i = 0; i < codes.length;) {
    const first = codes[i]!;
    let last = first;
    while (codes[++i] === last + 1) last++;
    source += last > first ? `${hex(first)}-${hex(last)}` : hex(first);
  }
  return source ? `[${source}]` : "[^\\x{0}-\\x{10ffff}]";
}
