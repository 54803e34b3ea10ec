/** `postconf`: what the configuration says, in the form that Postfix's own command prints. */

import type { Configuration } from "../../shared/config/configuration.ts";
import { referencedNames } from "../../shared/config/expand.ts";
import { COMPUTED } from "../../shared/config/facts.ts";
import type { MasterEntry } from "../../shared/config/master_cf.ts";
import { EX } from "../../shared/errors.ts";
import { catalogue } from "../../shared/parameters/mod.ts";
import { type CommandIo, loadForCommand, NO_DIRECTORY } from "./io.ts";

const USAGE = "usage: postconf [-c DIR] [-d (defaults)] [-f (fold lines)] [-h (no names)] " +
  "[-H (no values)] [-M (master.cf)] [-n (set in main.cf)] [-x (expand)] [NAME...]\n";
/** Folded lines of main.cf are no longer, those of master.cf one less, as Postfix prints them. */
const FOLD_COLUMNS = 80;
/** Where the columns of a master.cf line start. */
const MASTER_COLUMNS = [0, 11, 17, 25, 33, 41, 49, 57];

interface Options {
  readonly flags: ReadonlySet<string>;
  readonly names: readonly string[];
  readonly directory: string | undefined;
}

/** Prints parameters, or services with -M. */
export function postconf(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args, io);
  if (typeof options === "string") {
    io.err(`postconf: ${options}\n${USAGE}`);
    return Promise.resolve(EX.USAGE);
  }
  const configuration = loadForCommand(io, options.directory);
  if (configuration.unreadable) {
    io.err(`postconf: fatal: ${configuration.unreadable}\n`);
    return Promise.resolve(EX.CONFIG);
  }
  const isRight = warn(configuration, options, io);
  if (options.flags.has("M")) printServices(configuration, options, io);
  else printParameters(configuration, options, io);
  return Promise.resolve(isRight ? EX.OK : EX.CONFIG);
}

function parse(args: readonly string[], io: CommandIo): Options | string {
  const flags = new Set<string>();
  let directory = io.configDirectory;
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at]!;
    if (!arg.startsWith("-") || arg === "-") break;
    if (arg === "--") {
      at++;
      break;
    }
    for (let letter = 1; letter < arg.length; letter++) {
      if (arg[letter] === "c") {
        directory = arg.slice(letter + 1) || args[++at];
        if (!directory) return NO_DIRECTORY;
        break;
      }
      if (!"dfhHMnpvx".includes(arg[letter]!)) return noOption(arg[letter]!);
      flags.add(arg[letter]!);
    }
  }
  const names = args.slice(at);
  // For Postfix that is -e, whether it is written or not.
  if (names.some((name) => name.includes("="))) return noOption("e");
  return { flags, names, directory };
}

function noOption(letter: string): string {
  return `no such option: -${letter}`;
}

/**
 * Only problems of the file that is shown, and with names only theirs: scripts that ask for one want no other noise. False
 * when lines cannot be read, or with -x expanded: what is printed is then not what was meant.
 */
function warn(configuration: Configuration, { flags, names }: Options, io: CommandIo): boolean {
  if (flags.has("d")) return true;
  const shown = flags.has("M") ? configuration.master : configuration.main;
  const asked = new Set(names.map((name) => flags.has("M") ? name.replace(/\/[^/]*$/, "") : name));
  if (flags.has("x")) { for (const name of asked) addReferences(configuration, name, asked); }
  let isRight = true;
  for (const each of configuration.problems) {
    const { file, parameter, severity, message } = each;
    if (file !== shown.file) continue;
    const isFatal = severity === "fatal", isUnreadable = isFatal && shown.problems.includes(each);
    if (asked.size && parameter && !asked.has(parameter) && !isUnreadable) continue;
    io.err(`postconf: ${isFatal ? "error" : severity}: ${message}\n`);
    isRight &&= !isUnreadable && !(isFatal && flags.has("x"));
  }
  return isRight;
}

/** Adds the names that a name's text leads to. */
function addReferences(configuration: Configuration, name: string, names: Set<string>): void {
  for (const each of referencedNames(configuration.raw(name) ?? "")) {
    if (names.has(each)) continue;
    names.add(each);
    addReferences(configuration, each, names);
  }
}

function printParameters(configuration: Configuration, options: Options, io: CommandIo): void {
  const { flags } = options;
  for (const name of options.names.length ? options.names : allNames(configuration, options)) {
    const value = text(configuration, name, flags);
    if (value === undefined) {
      io.err(`postconf: warning: ${name}: unknown parameter\n`);
    } else if (!flags.has("n") || configuration.main.entries.has(name)) {
      io.out(fold(shown(name, value, flags), flags) + "\n");
    }
  }
}

/** Names that have a value somewhere: with -n those of main.cf that are known or referred to. */
function allNames(configuration: Configuration, { flags }: Options): string[] {
  const set = [...configuration.main.entries.keys()].filter((name) => configuration.knows(name));
  if (flags.has("n")) return set.sort();
  const supported = [...catalogue.keys()];
  return [...new Set(flags.has("d") ? supported : [...supported, ...set])].sort();
}

/** The value on one line, as it is written or, with -x, expanded. */
function text(
  configuration: Configuration,
  name: string,
  flags: ReadonlySet<string>,
): string | undefined {
  const raw = flags.has("d") ? configuration.fallback(name) : configuration.raw(name);
  if (raw === undefined || !flags.has("d") && !configuration.knows(name)) return undefined;
  const own = configuration.main.entries.has(name) && !flags.has("d");
  // What the host alone decides is shown, not the name by which it is called inside.
  const host = !own && COMPUTED.has(raw.slice(1)) && raw.startsWith("$");
  const value = flags.has("x") && !flags.has("d")
    ? configuration.value(name)
    : host
    ? configuration.value(raw.slice(1))
    : raw;
  return value.split(/[ \t\r\n]+/).filter(Boolean).join(" ");
}

function shown(name: string, value: string, flags: ReadonlySet<string>): string {
  if (flags.has("H")) return name;
  if (flags.has("h")) return value;
  return value ? `${name} = ${value}` : `${name} =`;
}

/** Services in the order of the file; `service/type`, of which each may be `*`, or the service alone asks for some. */
function printServices(
  configuration: Configuration,
  { names, flags }: Options,
  io: CommandIo,
): void {
  const { services } = configuration;
  for (const name of names) {
    if (services.some((entry) => isAsked(entry, name))) continue;
    io.err(`postconf: warning: unmatched request: "${name}"\n`);
  }
  for (const entry of services) {
    const asked = !names.length || names.some((name) => isAsked(entry, name));
    if (asked) io.out(serviceLine(entry, flags) + "\n");
  }
}

function isAsked({ name, type }: MasterEntry, asked: string): boolean {
  const slash = asked.lastIndexOf("/");
  const service = slash < 0 ? asked : asked.slice(0, slash), of = asked.slice(slash + 1);
  return ["*", name].includes(service) && (slash < 0 || ["*", type].includes(of as "*"));
}

/** A line of master.cf with its columns aligned; -f gives each override a line of its own. */
function serviceLine(entry: MasterEntry, flags: ReadonlySet<string>): string {
  let line = "";
  for (const [at, column] of entry.columns.slice(0, MASTER_COLUMNS.length).entries()) {
    line = at ? `${line} `.padEnd(MASTER_COLUMNS[at]!) + column : column;
  }
  const words = entry.columns.slice(MASTER_COLUMNS.length);
  return flags.has("f") ? foldWords(line, words, FOLD_COLUMNS - 1) : [line, ...words].join(" ");
}

function fold(line: string, flags: ReadonlySet<string>): string {
  if (!flags.has("f")) return line;
  const [name = "", ...words] = line.split(" ");
  return foldWords(name, words, FOLD_COLUMNS);
}

function foldWords(start: string, words: readonly string[], columns: number): string {
  const lines = [start];
  /** Until the first word that is no option: after it, -o is a word like others. */
  let options = true, ofOption = false;
  for (const word of words) {
    const line = lines.at(-1)!;
    const fits = line.length + 1 + word.length <= columns;
    options &&= word.startsWith("-") || ofOption;
    // "-o name=value" stays together, on a line of its own.
    const breaks = !ofOption && (options && word === "-o" || line.startsWith("    -o ") || !fits);
    if (breaks) lines.push(`    ${word}`);
    else lines[lines.length - 1] = `${line} ${word}`;
    ofOption = options && word === "-o";
  }
  return lines.join("\n");
}
