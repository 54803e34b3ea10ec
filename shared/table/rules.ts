/** Ordered rules with `if` and `endif`: what pattern tables and cidr tables have in common. */

import type { LogicalLine } from "../config/logical_lines.ts";
import { reason, StorageError } from "../errors.ts";
import { type Remarks, tableLines } from "./text_file.ts";

/** `if` inside `if`, up to here. */
export const MAX_IF_NESTING = 100;

/** One condition with what follows from it. */
export interface Rule<S> {
  matches(subject: S): boolean;
  /** The value for a subject that matched. */
  value(subject: S): string;
  /** For `if`: the rules that are asked where it matches. */
  readonly inner?: Rule<S>[];
}

/** Says that a rule is probably not what was meant. */
export type Notice = (text: string) => void;

/** Reads a rule's line; throws what is wrong with it. `block`: it stands after `if`, so it has no result. */
export type ParseRule<S> = (text: string, block: boolean, notice: Notice) => Rule<S>;

/** The rules of which one contains the next, from the file's own to those after the last `if`. */
type Open<S> = { readonly rules: Rule<S>[]; readonly line: number }[];

/** A rule that Postfix understands and this project does not: nobody knows for which keys it holds. */
export class Unsupported extends Error {}

/**
 * The rules of a file. One that cannot be understood is left out, as in Postfix; an `if` that cannot be understood holds for
 * nothing, other than in Postfix, where its rules would then be asked about every key. A lookup that comes to an unsupported
 * one fails.
 */
export function parseRules<S>(text: string, parse: ParseRule<S>, remarks: Remarks): Rule<S>[] {
  const top: Rule<S>[] = [];
  const open: Open<S> = [{ rules: top, line: 0 }];
  for (const each of tableLines(text, remarks)) step(open, each, parse, remarks);
  for (const { line } of open.slice(1)) {
    remarks.wrong(line, "IF without ENDIF", "taking it to end with the file");
  }
  return top;
}

function step<S>(open: Open<S>, each: LogicalLine, parse: ParseRule<S>, remarks: Remarks): void {
  const { text, line } = each;
  const word = /^(if|endif)(?![a-z0-9])/i.exec(text)?.[1]?.toLowerCase();
  if (word === "endif") return endBlock(open, each, remarks);
  const inside = open.at(-1)!.rules, notice = (what: string) => remarks.odd(line, what);
  try {
    if (!word) return void inside.push(parse(text, false, notice));
    if (open.length > MAX_IF_NESTING) throw new Error(`IF nests deeper than ${MAX_IF_NESTING}`);
    startBlock(open, parse(text.slice(word.length).trim(), true, notice), line);
  } catch (error) {
    const fails = error instanceof Unsupported, text = reason(error);
    const skips = word ? "skipping all up to its ENDIF" : "skipping this rule";
    remarks.wrong(line, text, fails ? "lookups that come here fail" : skips);
    const rule = fails ? failing(`${remarks.path}, line ${line}: ${text}`) : NEVER;
    if (word) startBlock(open, rule, line);
    else if (fails) inside.push(rule);
  }
}

const NEVER = { matches: () => false, value: () => "" };

function failing(text: string): typeof NEVER {
  const matches = () => {
    throw new StorageError(text);
  };
  return { ...NEVER, matches };
}

function startBlock<S>(open: Open<S>, rule: Rule<S>, line: number): void {
  const rules: Rule<S>[] = [];
  open.at(-1)!.rules.push({ ...rule, inner: rules });
  open.push({ rules, line });
}

function endBlock<S>(open: Open<S>, { text, line }: LogicalLine, remarks: Remarks): void {
  if (text.trim().length > "endif".length) remarks.odd(line, "ignoring extra text after ENDIF");
  if (open.length > 1) open.pop();
  else remarks.wrong(line, "ENDIF without IF");
}

/** A rule's text without the `!` before it; each turns its meaning over. */
export function negation(text: string): { negated: boolean; text: string } {
  const bare = text.replace(/^(?:!\s*)+/, "");
  const marks = text.slice(0, text.length - bare.length).replaceAll(/\s/g, "");
  return { negated: marks.length % 2 === 1, text: bare };
}

/** `/pattern/flags result` in its parts; throws what is wrong with it. */
export function delimited(text: string): { pattern: string; letters: string; result: string } {
  const delimiter = text[0];
  if (!delimiter || /[\p{L}\p{N}\s]/u.test(delimiter)) {
    throw new Error("expected a pattern such as /pattern/");
  }
  for (let i = 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === delimiter) {
      const rest = text.slice(i + 1), [letters] = /^\S*/.exec(rest)!;
      return { pattern: text.slice(1, i), letters, result: rest.slice(letters.length).trimStart() };
    }
  }
  throw new Error(`no closing "${delimiter}" after the pattern`);
}

/** The value of the first rule that matches. */
export function firstMatch<S>(rules: readonly Rule<S>[], subject: S): string | null {
  for (const rule of rules) {
    if (!rule.matches(subject)) continue;
    if (!rule.inner) return rule.value(subject);
    const value = firstMatch(rule.inner, subject);
    if (value !== null) return value;
  }
  return null;
}
