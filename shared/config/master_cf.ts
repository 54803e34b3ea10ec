/** master.cf: one line per service, every column checked. */

import { closing, logicalLines, startsWithSpace, trim } from "./logical_lines.ts";
import { continuesNothing, splitNameValue } from "./main_cf.ts";
import { type Problem, problem } from "./problem.ts";

const TYPES = ["inet", "unix", "unix-dgram", "fifo", "pass"] as const;
export type ServiceType = (typeof TYPES)[number];

/** One service. */
export interface MasterEntry {
  readonly name: string;
  readonly type: ServiceType;
  readonly private: boolean;
  readonly unprivileged: boolean;
  readonly chroot: boolean;
  /** Seconds between two wake-ups; 0 is none. */
  readonly wakeup: number;
  /** Woken up only once the service has been used: `1000?`. */
  readonly wakeupIfUsed: boolean;
  /** 0 is no limit; undefined is default_process_limit. */
  readonly maxproc: number | undefined;
  /** The daemon's name. */
  readonly command: string;
  /** `-o name=value`, the last of a name; not expanded. */
  readonly overrides: ReadonlyMap<string, string>;
  /** Options beside -o: -v and -D make Postfix's daemons say more. */
  readonly options: readonly string[];
  /** What else follows the command, braces taken off. */
  readonly arguments: readonly string[];
  readonly line: number;
  /** The columns and arguments as written, for `postconf -M`. */
  readonly columns: readonly string[];
}

export interface MasterCf {
  readonly file: string;
  readonly services: readonly MasterEntry[];
  readonly problems: readonly Problem[];
}

/** The columns before the command's arguments. */
const COLUMNS = 8;
/** Roles are told of no longer name. */
const MAX_NAME_LENGTH = 64;

/** Parses the text of master.cf; never throws. A line with a problem is no service. */
export function parseMasterCf(text: string, file: string): MasterCf {
  const services = new Map<string, MasterEntry>();
  const problems: Problem[] = [];
  for (const { text: logical, line } of logicalLines(text)) {
    if (startsWithSpace(logical)) {
      problems.push(problem("warning", { file, line }, "", continuesNothing(logical)));
      continue;
    }
    const words = splitWords(logical);
    const name = words[0]?.text ?? "";
    const errors: string[] = [];
    const entry = parseService(words, line, errors);
    for (const error of errors) problems.push(problem("fatal", { file, line }, name, error));
    if (!entry || errors.length) continue;
    const key = `${entry.name}/${entry.type}`;
    const earlier = services.get(key);
    if (earlier) {
      const text = `replaces the service of line ${earlier.line}, ${key} is there twice`;
      problems.push(problem("warning", { file, line }, name, text));
    }
    services.set(key, entry);
  }
  return { file, services: [...services.values()], problems };
}

interface Word {
  /** Braces taken off. */
  readonly text: string;
  readonly braced: boolean;
  /** What is wrong with its braces. */
  readonly error?: string;
}

/** Splits at white space outside of braces. */
function splitWords(text: string): Word[] {
  const words: Word[] = [];
  let start = 0, depth = 0;
  for (let at = 0; at <= text.length; at++) {
    const char = text[at];
    if (char === "{") depth++;
    else if (char === "}" && depth > 0) depth--;
    else if (char === undefined || depth === 0 && startsWithSpace(char)) {
      if (at > start) words.push(word(text.slice(start, at), depth > 0));
      start = at + 1;
    }
  }
  return words;
}

function word(text: string, open: boolean): Word {
  const plain = { text, braced: false };
  if (open) return { ...plain, error: `must have a } for each {: "${text}"` };
  if (!text.startsWith("{")) return plain;
  if (closing(text, 0) < text.length - 1) {
    return { ...plain, error: `must have white space after }: "${text}"` };
  }
  return { text: trim(text.slice(1, -1)), braced: true };
}

function parseService(
  words: readonly Word[],
  line: number,
  errors: string[],
): MasterEntry | undefined {
  for (const { error } of words) if (error) errors.push(error);
  if (errors.length) return undefined;
  if (words.length < COLUMNS) {
    errors.push(
      "must have 8 columns: service type private unpriv chroot wakeup maxproc command; " +
        `has ${words.length}`,
    );
    return undefined;
  }
  const [name, type, priv, unpriv, chroot, wakeup, maxproc, command] = words.map(({ text }) =>
    text
  );
  const isPrivate = flag("private", priv!, true, errors);
  const tail = parseArguments(words.slice(COLUMNS), errors);
  const entry: MasterEntry = {
    name: name!,
    type: TYPES.find((known) => known === type) ?? "unix",
    private: isPrivate,
    unprivileged: flag("unprivileged", unpriv!, true, errors),
    chroot: flag("chroot", chroot!, false, errors),
    ...parseWakeup(wakeup!, errors),
    maxproc: maxproc === "-" ? undefined : count("maxproc", maxproc!, errors),
    command: command!,
    ...tail,
    line,
    columns: written(words),
  };
  if (!TYPES.some((known) => known === type)) {
    errors.push(`type must be one of ${TYPES.join(", ")}: is "${type}"`);
  }
  if (type === "inet" && isPrivate) {
    errors.push(`private must be n for an inet service: is "${priv}"`);
  }
  if (type !== "inet" && !/^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/.test(name!)) {
    errors.push("service must be a name of letters, digits and - _ . +");
  }
  if (name!.length > MAX_NAME_LENGTH) {
    errors.push(`service must be at most ${MAX_NAME_LENGTH} characters long: has ${name!.length}`);
  }
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/.test(command!)) {
    errors.push(`command must be the name of a daemon, without a folder: is "${command}"`);
  }
  return entry;
}

/** As `postconf -M` shows it: braces around what has white space, and around the name and value of `-o`. */
function written(words: readonly Word[]): string[] {
  // Where arguments have begun, `-o` is one of them.
  let options = true;
  return words.flatMap(({ text, braced }, at) => {
    const valueOfOption = words[at - 1]?.text === "-o";
    const attached = options && at >= COLUMNS && /^-o./.test(text);
    if (at >= COLUMNS && !text.startsWith("-") && !valueOfOption) options = false;
    if (attached) return ["-o", option(attachedOption(text, braced))];
    if (valueOfOption) return [option({ text, braced })];
    return [braced && /^$|[{\s]/.test(text) ? `{${text}}` : text];
  });
}

function option({ text, braced }: Word): string {
  const split = splitNameValue(text);
  if ("error" in split) return braced ? `{${text}}` : text;
  const pair = `${split.name}=${split.value}`;
  return /[ \t\r\v\f]/.test(pair) ? `{${pair}}` : pair;
}

function flag(column: string, text: string, fallback: boolean, errors: string[]): boolean {
  if (text === "-") return fallback;
  if (text !== "y" && text !== "n") errors.push(`${column} must be y, n or -: is "${text}"`);
  return text === "y";
}

function count(column: string, text: string, errors: string[]): number {
  if (!/^[0-9]{1,9}$/.test(text)) errors.push(`${column} must be a number or -: is "${text}"`);
  return Number.parseInt(text) || 0;
}

function parseWakeup(
  text: string,
  errors: string[],
): Pick<MasterEntry, "wakeup" | "wakeupIfUsed"> {
  if (text === "-") return { wakeup: 0, wakeupIfUsed: false };
  const wakeupIfUsed = text.endsWith("?");
  const number = wakeupIfUsed ? text.slice(0, -1) : text;
  return { wakeup: count("wakeup", number, errors), wakeupIfUsed };
}

/** The options and arguments after the command. */
function parseArguments(
  words: readonly Word[],
  errors: string[],
): Pick<MasterEntry, "overrides" | "options" | "arguments"> {
  const overrides = new Map<string, string>();
  const options: string[] = [];
  let at = 0;
  for (; at < words.length; at++) {
    const { text, braced } = words[at]!;
    if (!text.startsWith("-") || text === "-") break;
    if (text === "--") {
      at++;
      break;
    }
    if (!text.startsWith("-o")) {
      options.push(text);
      continue;
    }
    const attached = text.length > 2;
    const option = attached ? attachedOption(text, braced) : words[++at];
    if (!option) errors.push("-o must be followed by name=value");
    else addOverride(option, words[at + 1]?.text, overrides, errors);
  }
  return { overrides, options, arguments: words.slice(at).map(({ text }) => text) };
}

/** What follows `-o` in the same word: `-oname=value`, `-o{ name = value }` or `{ -o name = value }`. */
function attachedOption(text: string, braced: boolean): Word {
  const rest = trim(text.slice(2));
  const own = rest.startsWith("{") && closing(rest, 0) === rest.length - 1;
  return own ? { text: trim(rest.slice(1, -1)), braced: true } : { text: rest, braced };
}

function addOverride(
  option: Word,
  next: string | undefined,
  overrides: Map<string, string>,
  errors: string[],
): void {
  if (!option.braced && next === "=") {
    errors.push(`-o must be name=value without spaces, or { name = value }: is "${option.text} ="`);
    return;
  }
  const split = splitNameValue(option.text);
  if ("error" in split) errors.push(`-o ${split.error}`);
  else overrides.set(split.name, split.value);
}
