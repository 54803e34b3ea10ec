/**
 * How a main.cf parameter is declared: once, with its default, its meaning and how its text becomes a value. Parsing
 * and bounds, the typed `params.x`, `postconf` and the manual come from this declaration (STYLE C7).
 */

import { ConfigError } from "../errors.ts";
import { lowerCase } from "../smtp/keyword.ts";
import { specProblem } from "../table/spec.ts";
import { splitList } from "./split_list.ts";

export { splitList };

/** One parameter. `fallback` is main.cf text, expanded like any other value. */
export interface Parameter<T = unknown> {
  readonly name: string;
  readonly fallback: string;
  readonly doc: string;
  /** From fully expanded main.cf text; throws ConfigError that says what would be right. */
  readonly parse: (text: string) => T;
  /** What does not hold although the text is right; undefined when all of it does. */
  readonly caution?: (text: string) => string | undefined;
  /** This project's own, not one of Postfix's. */
  readonly own?: boolean;
  /** Its items may be lookup tables, `type:name`. */
  readonly tables?: true;
  /** No part of a key comes into a result of these tables: whoever chooses the key must not choose where mail goes. */
  readonly fixedResults?: boolean;
  /** Its items are networks, and files of networks, which the supervisor reads. */
  readonly networks?: true;
  /** Names are `<transport>` + this suffix; `name` is then the default_... parameter. */
  readonly suffix?: string;
}

// deno-lint-ignore no-explicit-any
export type Parameters = Record<string, Parameter<any>>;
export type Values<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never;
};

export interface Notes {
  doc: string;
  own?: boolean;
}

export interface Bounds extends Notes {
  min?: number;
  max?: number;
}

/** A parameter whose text `parse` gives a meaning. */
export function parsed<T>(
  name: string,
  fallback: string,
  notes: Notes,
  parse: (text: string) => T,
): Parameter<T> {
  return { name, fallback, doc: notes.doc, parse, ...(notes.own ? { own: true } : {}) };
}

function bounded(value: number, { min = 0, max = Number.MAX_SAFE_INTEGER }: Bounds): number {
  if (value < min) throw new ConfigError(`must be at least ${min}: is ${value}`);
  if (value > max) throw new ConfigError(`must be at most ${max}: is ${value}`);
  return value;
}

/** yes or no. */
export function bool(name: string, fallback: "yes" | "no", notes: Notes): Parameter<boolean> {
  return parsed(name, fallback, notes, (text) => {
    const word = lowerCase(text);
    if (word === "yes" || word === "no") return word === "yes";
    throw new ConfigError(`must be "yes" or "no": is "${text}"`);
  });
}

/** A whole number. */
export function int(name: string, fallback: string, bounds: Bounds): Parameter<number> {
  return parsed(name, fallback, bounds, (text) => {
    if (!/^-?[0-9]{1,15}$/.test(text)) {
      throw new ConfigError(`must be a whole number: is "${text}"`);
    }
    return bounded(Number(text), bounds);
  });
}

/** A whole number that something must not exceed: 0 is no limit, and its value is Infinity. */
export function limit(name: string, fallback: string, bounds: Bounds): Parameter<number> {
  const { parse, ...declared } = int(name, fallback, bounds);
  return { ...declared, parse: (text) => parse(text) || Infinity };
}

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
/** As many as Postfix's times hold. */
const MAX_SECONDS = 2 ** 31 - 1;

/** A time such as `300s`, `5d`, `2h`; the value is in seconds. Without a unit it is in that of the default. */
export function time(name: string, fallback: string, bounds: Bounds): Parameter<number> {
  const [usual] = /[smhdw]$/.exec(fallback) ?? ["s"];
  return parsed(name, fallback, bounds, (text) => {
    const match = /^([0-9]{1,12})\s*([smhdw]?)$/i.exec(text);
    if (!match) throw new ConfigError(`must be a time such as 30s, 5m, 2h or 1d: is "${text}"`);
    const unit = (match[2] || usual).toLowerCase();
    return bounded(Number(match[1]) * UNIT_SECONDS[unit]!, { max: MAX_SECONDS, ...bounds });
  });
}

/** Any text, possibly empty. */
export function text(name: string, fallback: string, notes: Notes): Parameter<string> {
  return parsed(name, fallback, notes, (text) => text);
}

/** Any text but none. */
export function someText(name: string, fallback: string, notes: Notes): Parameter<string> {
  return parsed(name, fallback, notes, (text) => {
    if (!text) throw new ConfigError("must not be empty");
    return text;
  });
}

/** One of these words, in any case. */
export function choice<const W extends string>(
  name: string,
  fallback: W,
  words: readonly W[],
  notes: Notes,
): Parameter<W> {
  return parsed(name, fallback, notes, (text) => {
    const word = words.find((word) => lowerCase(word) === lowerCase(text));
    if (word === undefined) {
      throw new ConfigError(
        `must be one of ${words.map((each) => each || "(empty)").join(", ")}: is "${text}"`,
      );
    }
    return word;
  });
}

/** Items separated by commas or white space; `{ ... }` protects both and is taken off. */
export function list(name: string, fallback: string, notes: Notes): Parameter<string[]> {
  return parsed(name, fallback, notes, splitList);
}

/** Lookup tables, `type:name`, in the order in which they are asked; the value holds their specifications. */
export function maps(
  name: string,
  fallback: string,
  notes: Notes & { fixedResults?: boolean },
): Parameter<string[]> {
  return {
    ...parsed(name, fallback, notes, (text) => {
      const specs = splitList(text, true);
      for (const spec of specs) demandTable(spec);
      return specs;
    }),
    tables: true,
    fixedResults: notes.fixedResults ?? false,
  };
}

/** Names of domains, `type:table` and `/file`, each perhaps with `!` before it. */
export function domains(name: string, fallback: string, notes: Notes): Parameter<string[]> {
  return {
    ...parsed(name, fallback, notes, (text) => {
      const items = splitList(text);
      for (const item of items) {
        const bare = item.replace(/^!+/, "");
        if (!bare) throw new ConfigError(`"${item}" names nothing`);
        if (isTable(bare)) demandTable(bare);
      }
      return items;
    }),
    tables: true,
  };
}

/** True for `type:name`; an IPv6 address has colons, too. */
function isTable(item: string): boolean {
  return /^[a-z]+:./.test(item) && !/^[0-9a-f:.]+(\/[0-9]+)?$/i.test(item);
}

function demandTable(spec: string): void {
  const problem = specProblem(spec);
  if (problem) throw new ConfigError(problem);
}

/** The same setting for each transport: `<transport>_suffix` overrides `default_suffix`. */
export function perTransport<T>(
  declared: Parameter<T>,
  suffix: string,
): Parameter<(transport: string) => T> {
  return {
    ...declared,
    suffix,
    // The text is JSON made by the configuration: { "": default, "smtp": override, ... }.
    parse: (text) => {
      const values = new Map<string, T>();
      for (const [transport, value] of Object.entries(JSON.parse(text) as Record<string, string>)) {
        values.set(transport, declared.parse(value));
      }
      return (transport) => (values.get(transport) ?? values.get(""))!;
    },
  };
}

/** The typed values of a set of parameters, from their expanded texts by name. */
export function parseAll<P extends Parameters>(
  declared: P,
  texts: Readonly<Record<string, string>>,
): Values<P> {
  const values: Record<string, unknown> = {};
  for (const [key, parameter] of Object.entries(declared)) {
    const text = texts[parameter.name];
    if (text === undefined) throw new ConfigError(`${parameter.name}: no value was handed over`);
    values[key] = valueOf(parameter, { value: () => text });
  }
  return values as Values<P>;
}

/** The typed value of one parameter, from whoever has the texts; throws ConfigError that names it. */
export function valueOf<T>(
  { name, parse }: Parameter<T>,
  texts: { value(name: string): string },
): T {
  try {
    return parse(texts.value(name));
  } catch (error) {
    throw new ConfigError(`${name}: ${(error as Error).message}`);
  }
}
