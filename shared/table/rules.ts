/** Ordered rules with `if` and `endif`: what pattern tables and cidr tables have in common. */

import type { LogicalLine } from "../config/logical_lines.ts";
import { StorageError } from "../errors.ts";
import { tableLines, type Warn } from "./file.ts";

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

/** Reads a rule's line; throws what is wrong with it. `block`: it stands after `if`, so it has no result. */
export type ParseRule<S> = (text: string, block: boolean) => Rule<S>;

/** The rules of a file; an error names the line. */
export function parseRules<S>(text: string, parse: ParseRule<S>, warn: Warn): Rule<S>[] {
  const top: Rule<S>[] = [];
  const open: { rules: Rule<S>[]; line: number }[] = [{ rules: top, line: 0 }];
  for (const each of tableLines(text, warn)) step(open, each, parse);
  const left = open.pop()!;
  if (open.length) throw new StorageError(`line ${left.line}: IF without ENDIF`);
  return top;
}

function step<S>(
  open: { rules: Rule<S>[]; line: number }[],
  { text, line }: LogicalLine,
  parse: ParseRule<S>,
): void {
  const wrong = (what: string) => new StorageError(`line ${line}: ${what}`);
  const word = /^(if|endif)(?![a-z0-9])/i.exec(text)?.[1]?.toLowerCase();
  if (word === "endif") {
    if (text.trim().length > "endif".length) throw wrong("ENDIF must stand alone");
    if (open.length === 1) throw wrong("ENDIF without IF");
    open.pop();
    return;
  }
  let rule: Rule<S>;
  try {
    rule = word ? parse(text.slice(word.length).trim(), true) : parse(text, false);
  } catch (error) {
    throw wrong((error as Error).message);
  }
  if (word) {
    if (open.length > MAX_IF_NESTING) throw wrong(`IF nests deeper than ${MAX_IF_NESTING}`);
    rule = { ...rule, inner: [] };
    open.at(-1)!.rules.push(rule);
    open.push({ rules: rule.inner!, line });
  } else open.at(-1)!.rules.push(rule);
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
