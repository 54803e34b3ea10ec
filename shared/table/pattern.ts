/**
 * `regexp:` and `pcre:` tables (regexp_table(5), pcre_table(5)), on RE2: time is linear in the key, so no pattern and no
 * mail can make it backtrack. Look-around and back-references do not exist there: see `Unsupported`.
 */

import { RE2JS } from "re2js";
import { reason } from "../errors.ts";
import { TextFile } from "./text_file.ts";
import { bytesOf, posixPattern, textOf } from "./posix_pattern.ts";
import {
  delimited,
  firstMatch,
  negation,
  type Notice,
  parseRules,
  type Rule,
  Unsupported,
} from "./rules.ts";
import { type Environment, registerTable, type Table } from "./table.ts";

class PatternTable implements Table {
  readonly isPattern = true;
  #file: TextFile<Rule<string>[]>;

  constructor(readonly spec: string, path: string, dialect: Dialect, environment: Environment) {
    const rule = (text: string, block: boolean, notice: Notice) =>
      patternRule(text, block, dialect, environment.fixedResults ?? false, notice);
    this.#file = new TextFile(
      path,
      (text, remarks) => parseRules(text, rule, remarks),
      environment,
    );
  }

  lookup(key: string): string | null {
    return firstMatch(this.#file.get(), key);
  }
}

/** How a type's flags begin; each letter in a rule turns its flag over. */
interface Dialect {
  readonly flags: Readonly<Record<string, boolean>>;
  compile(pattern: string, flags: Readonly<Record<string, boolean>>, notice: Notice): RE2JS;
  /** What is matched for a key. */
  subject(key: string): string;
  /** What a group matched, as text of the key. */
  part(matched: string): string;
}

const PCRE: Dialect = {
  subject: (key) => key,
  part: (matched) => matched,
  flags: { i: true, m: false, s: true, x: false, A: false, E: false, U: false, X: false },
  compile(pattern, flags) {
    if (flags.X) throw new Unsupported("flag X is not supported");
    const text = flags.x ? withoutLayout(pattern) : pattern;
    // Without E, `$` also matches before a final line feed; no key ends in one.
    const source = `${flags.U ? "(?U)" : ""}${flags.A ? "^(?:" : ""}${text}${flags.A ? ")" : ""}`;
    return compile(source, bits(flags.i!, flags.m!, flags.s!));
  },
};

const REGEXP: Dialect = {
  flags: { i: true, m: false, x: true },
  subject: bytesOf,
  part: textOf,
  compile(pattern, { i, m, x }, notice) {
    const posix = { extended: x!, ignoreCase: i!, newline: m! };
    const source = posixPattern(pattern, posix, notice);
    // POSIX takes the longest match.
    return compile(source, RE2JS.LONGEST_MATCH);
  },
};

/** What RE2 says of patterns that are an error in Postfix, too; anything else is a limit of RE2. */
const BAD_PATTERN = /missing closing|unexpected \)|missing argument|class range|trailing backslash/;

/** What repetitions may add to a pattern, in RE2's instructions: a key of 1,000 characters takes most of a second then. */
const MAX_REPEATED_INSTRUCTIONS = 10_000;

function compile(pattern: string, flags: number): RE2JS {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern, flags);
  } catch (error) {
    const text = reason(error);
    throw BAD_PATTERN.test(text) ? error : new Unsupported(text);
  }
  // A long list of alternatives is as large as its text, and is none of this.
  if (compiled.programSize() - pattern.length <= MAX_REPEATED_INSTRUCTIONS) return compiled;
  throw new Unsupported("repetitions make the pattern too large");
}

function bits(ignoreCase: boolean, multiLine: boolean, dotAll: boolean): number {
  return (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0) | (multiLine ? RE2JS.MULTILINE : 0) |
    (dotAll ? RE2JS.DOTALL : 0);
}

/** White space and comments outside of brackets mean nothing under pcre's flag x. */
function withoutLayout(pattern: string): string {
  return pattern.replace(
    /(\\.|\[\^?\]?(?:\\.|[^\]\\])*(?:\]|\\?$))|\s+|#.*$/gm,
    (_all, kept) => kept ?? "",
  );
}

/** `/pattern/flags result`, `!/pattern/flags result`, with any delimiter that is no letter, digit or space. */
function patternRule(
  text: string,
  block: boolean,
  dialect: Dialect,
  fixed: boolean,
  notice: Notice,
): Rule<string> {
  const { negated, text: bare } = negation(text);
  const { pattern, letters, result } = delimited(bare);
  const flags = { ...dialect.flags };
  for (const letter of letters) {
    if (!Object.hasOwn(flags, letter)) {
      throw new Error(`unknown regular expression flag "${letter}"`);
    }
    flags[letter] = !flags[letter];
  }
  const compiled = dialect.compile(pattern, flags, notice);
  const matches = (key: string) => compiled.matcher(dialect.subject(key)).find() !== negated;
  if (block) {
    if (result) notice(`ignoring extra text after the pattern of IF: "${result}"`);
    return { matches, value: () => "" };
  }
  if (!result) notice("no result after the pattern: it can only be listed");
  const value = substitution(result, compiled.groupCount(), negated);
  if (fixed && typeof value !== "string") {
    throw new Error("regular expression substitution is not allowed here");
  }
  return {
    matches,
    value: typeof value === "string" ? () => value : (key) => {
      const matcher = compiled.matcher(dialect.subject(key));
      matcher.find();
      return value((n) => dialect.part(matcher.group(n) ?? ""));
    },
  };
}

type Expand = (group: (n: number) => string) => string;

/** A result with `$1`, `${1}`, `$(1)` and `$$`; plain text where it has none. `$1st` is no number: write `${1}st`. */
function substitution(result: string, groups: number, negated: boolean): string | Expand {
  const parts: (string | number)[] = [];
  let at = 0;
  for (const match of result.matchAll(/\$(?:(\$)|(\w+)|\{(\w+)\}|\((\w+)\)|)/g)) {
    parts.push(result.slice(at, match.index));
    at = match.index + match[0].length;
    const number = match[2] ?? match[3] ?? match[4];
    if (match[1]) parts.push("$");
    else if (number === undefined || !/^\d+$/.test(number)) {
      throw new Error(`bad $ in the result: write $$ for "$"`);
    } else if (negated) throw new Error(`$${number} cannot be used with a negated pattern`);
    else if (Number(number) < 1 || Number(number) > groups) {
      throw new Error(`$${number} in the result, but the pattern has ${groups} groups`);
    } else parts.push(Number(number));
  }
  parts.push(result.slice(at));
  if (parts.every((part) => typeof part === "string")) return parts.join("");
  return (group) => parts.map((part) => typeof part === "string" ? part : group(part)).join("");
}

for (const [type, dialect] of [["regexp", REGEXP], ["pcre", PCRE]] as const) {
  registerTable(
    [type],
    (name, environment, spec) => new PatternTable(spec, name, dialect, environment),
  );
}
