/** What `$name` and its relatives in main.cf stand for (postconf(5), "the general format of main.cf"). */

import { ConfigError, reason } from "../errors.ts";
import { closing, trim, trimStart } from "./logical_lines.ts";

/** Names and braces inside each other go no deeper; more is a mistake, and must not exhaust the stack. */
export const MAX_NESTING = 100;
/** An expanded value is no longer, in UTF-16 units: names that repeat names grow exponentially. */
export const MAX_VALUE_LENGTH = 1 << 20;

export interface Names {
  /** The unexpanded text of a name; undefined when there is no such name. */
  raw(name: string): string | undefined;
  /** Told of each problem once. The last of `chain` is the name whose text has it, those before it refer to it. */
  report(severity: "fatal" | "warning", chain: readonly string[], text: string): void;
}

/** Expands texts of one scope: main.cf, or main.cf under the overrides of one service. Remembers what it expanded. */
export class Expander {
  #expanded = new Map<string, string>();
  /** The names being expanded now, outermost first. */
  #open: string[] = [];
  #depth = 0;

  constructor(readonly names: Names) {}

  /** The expanded value of a name; empty, and reported, when its text is broken or runs in a circle. */
  value(name: string): string {
    const known = this.#expanded.get(name);
    if (known !== undefined) return known;
    this.#refuseCircle(name);
    this.#open.push(name);
    let value = "";
    try {
      value = this.#expand(this.names.raw(name) ?? "");
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.names.report("fatal", this.#open, reason(error));
    } finally {
      this.#open.pop();
    }
    this.#expanded.set(name, value);
    return value;
  }

  #expand(text: string): string {
    if (++this.#depth > MAX_NESTING) {
      this.#depth--;
      throw new ConfigError(`must not nest names or braces more than ${MAX_NESTING} deep`);
    }
    try {
      return this.#substitute(text);
    } finally {
      this.#depth--;
    }
  }

  #substitute(text: string): string {
    let out = "";
    let at = 0;
    for (;;) {
      const dollar = text.indexOf("$", at);
      out += text.slice(at, dollar < 0 ? undefined : dollar);
      if (out.length > MAX_VALUE_LENGTH) {
        throw new ConfigError(`must not expand to more than ${MAX_VALUE_LENGTH} characters`);
      }
      if (dollar < 0) return out;
      const next = text[dollar + 1];
      if (next === "$") {
        out += "$";
        at = dollar + 2;
      } else if (next === "{" || next === "(") {
        const end = closing(text, dollar + 1);
        if (end < 0) {
          throw new ConfigError(`must close what "${next}" opens: "${text.slice(dollar)}"`);
        }
        out += this.#reference(text.slice(dollar + 2, end));
        at = end + 1;
      } else {
        const name = /^[A-Za-z0-9_]+/.exec(text.slice(dollar + 1, dollar + 1 + NAME_LOOKAHEAD))
          ?.[0];
        if (!name) throw new ConfigError(`must have a name after $ (or $$ for a dollar sign)`);
        out += this.#named(name);
        at = dollar + 1 + name.length;
      }
    }
  }

  #named(name: string): string {
    if (this.#expanded.has(name) || this.names.raw(name) !== undefined) return this.value(name);
    this.#reportUndefined(name);
    return "";
  }

  /** `${name?text}` asks for the text of a name as it is written: `$empty` is one that is not empty. */
  #isSet(name: string): boolean {
    const raw = this.names.raw(name);
    if (raw === undefined && !this.#expanded.has(name)) this.#reportUndefined(name);
    return Boolean(raw);
  }

  #reportUndefined(name: string): void {
    this.names.report("warning", this.#open, `$${name} is undefined and stands for nothing`);
    this.#expanded.set(name, "");
  }

  #refuseCircle(name: string): void {
    const at = this.#open.indexOf(name);
    if (at < 0) return;
    throw new ConfigError(
      `must not refer to itself: ${[...this.#open.slice(at), name].join(" -> ")}`,
    );
  }

  /** The inside of `${...}` or `$(...)`. */
  #reference(body: string): string {
    const text = trimStart(body);
    if (text.startsWith("{")) return this.#comparison(text);
    const [, name = "", rest = ""] = /^([A-Za-z0-9_]*)[ \t\r\v\f]*(.*)$/s.exec(text) ?? [];
    if (!name) throw new ConfigError(`must have a name: "\${${body}}"`);
    if (!rest) return this.#named(name);
    if (rest.startsWith("?") || rest.startsWith(":")) {
      return this.#choose(this.#isSet(name), rest, body);
    }
    throw new ConfigError(`must have ? or : after the name: "\${${body}}"`);
  }

  /** `{a} == {b}` and what follows it. */
  #comparison(body: string): string {
    const left = braced(body, body);
    const [whole, sign = "", level, tail = ""] =
      /^[ \t\r\v\f]*(<=|>=|==|!=|<|>)(level)?[ \t\r\v\f]*(.*)$/s.exec(left.rest) ?? [];
    if (whole === undefined || !tail.startsWith("{")) {
      throw new ConfigError(
        `must compare as in {a} == {b}, with == != < <= > or >=: "\${${body}}"`,
      );
    }
    const right = braced(tail, body);
    const a = this.#expand(left.inside), b = this.#expand(right.inside);
    const truth = holds(sign, level ? compareLevels(a, b) : compare(a, b));
    const rest = trimStart(right.rest);
    if (!rest) return truth ? "true" : "";
    if (rest.startsWith("?") || rest.startsWith(":")) return this.#choose(truth, rest, body);
    throw new ConfigError(`must have ? or : after the comparison: "\${${body}}"`);
  }

  /** `?text`, `:text`, `?{a}`, `:{b}` or `?{a}:{b}`; only what is chosen is expanded. White space is text but around braces. */
  #choose(truth: boolean, text: string, body: string): string {
    const after = text.slice(1), tail = trimStart(after);
    const wanted = truth === text.startsWith("?");
    if (!tail.startsWith("{")) return wanted ? this.#expand(after) : "";
    const first = braced(tail, body);
    const rest = trimStart(first.rest);
    if (rest && (text.startsWith(":") || !rest.startsWith(":"))) {
      throw new ConfigError(`must be {a}:{b}, with nothing else around: "\${${body}}"`);
    }
    const other = rest ? alternative(rest.slice(1), body) : "";
    return this.#expand(wanted ? first.inside : other);
  }
}

/** What follows the colon of `{a}:{b}`, with or without braces. */
function alternative(text: string, body: string): string {
  const tail = trimStart(text);
  if (!tail.startsWith("{")) return text;
  const { inside, rest } = braced(tail, body);
  if (trim(rest)) throw new ConfigError(`must end after {a}:{b}: "\${${body}}"`);
  return inside;
}

/** No parameter's name is longer. */
const NAME_LOOKAHEAD = 256;

function braced(text: string, body: string): { inside: string; rest: string } {
  const end = closing(text, 0);
  if (end < 0) throw new ConfigError(`must have as many { as }: "\${${body}}"`);
  return { inside: text.slice(1, end), rest: text.slice(end + 1) };
}

function holds(sign: string, order: number): boolean {
  switch (sign) {
    case "==":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    default:
      return order >= 0;
  }
}

/** A larger number cannot be compared. */
const MAX_NUMBER = 2n ** 63n - 1n;
/** With zeros before it. */
const MAX_DIGITS = 40;
/** The second and third part of a compatibility level are no larger. */
const MAX_LEVEL_PART = 1023;

/** As numbers if both are, else as text. */
function compare(a: string, b: string): number {
  if (/^[0-9]+$/.test(a) && /^[0-9]+$/.test(b)) {
    const [left = 0n, right = 0n] = [a, b].map((text) => {
      const number = text.length > MAX_DIGITS ? Infinity : BigInt(text);
      if (number > MAX_NUMBER) {
        throw new ConfigError(`must not compare numbers beyond ${MAX_NUMBER}`);
      }
      return BigInt(number);
    });
    return left < right ? -1 : left > right ? 1 : 0;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareLevels(a: string, b: string): number {
  const left = parseLevel(a), right = parseLevel(b);
  for (let part = 0; part < left.length; part++) {
    const order = left[part]! - right[part]!;
    if (order) return order;
  }
  return 0;
}

/** `3.6` or `3.6.1` as three numbers; throws ConfigError. */
export function parseLevel(text: string): number[] {
  const match = /^([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?$/.exec(text);
  const parts = match?.slice(1).map((part) => Number(part ?? 0));
  if (!parts?.slice(1).every((part) => part <= MAX_LEVEL_PART)) {
    throw new ConfigError(`must be a compatibility level such as 3.6: is "${text}"`);
  }
  return parts;
}

/** Every name that a text refers to, in whatever branch. */
export function referencedNames(text: string): string[] {
  return [...text.matchAll(/\$(?:\$|[({]?[ \t]*([A-Za-z0-9_]+))/g)]
    .flatMap(([, name]) => (name === undefined ? [] : [name]));
}
