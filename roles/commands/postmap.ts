/** `postmap` and `postalias`: ask a table, or look through its source. There is nothing to build: the source is the table. */

import { resolve } from "@std/path";
import { reason, StorageError } from "../../shared/errors.ts";
import { examineTables } from "../../shared/table/examine.ts";
import { isFileType, tableFiles, typeAndName } from "../../shared/table/spec.ts";
import { fileProblem } from "../../shared/table/text_file.ts";
import { openNested, RUNNING } from "../../shared/table/table.ts";
import { inputLines } from "./input_lines.ts";
import { type CommandIo, NO_DIRECTORY, takeConfigDirectory } from "./io.ts";

/** Options that say how Postfix builds an index, or that it says more. */
const BUILDING = /^-[Nnoprvw]+$/;
/** Options that change or list an index. */
const INDEX_ONLY = /^-[dis]/;
const MAX_KEY_LENGTH = 100_000;
/** Postfix's status for everything that did not work. */
const FAILED = 1;

/** `postmap [-q KEY] [TYPE:]FILE ...`; exit 0 when the key is there, or when the files can be read. */
export function postmap(args: string[], io: CommandIo): Promise<number> {
  return run("postmap", false, args, io);
}

/** The same for files in the format of aliases(5). */
export function postalias(args: string[], io: CommandIo): Promise<number> {
  return run("postalias", true, args, io);
}

async function run(
  name: string,
  aliases: boolean,
  args: string[],
  io: CommandIo,
): Promise<number> {
  const fail = (text: string) => {
    io.err(`${name}: fatal: ${text}\n`);
    return FAILED;
  };
  const usage = `usage: ${name} [-c config_dir] [-q key] [map_type:]file...`;
  try {
    const words = takeConfigDirectory(args, io).args.filter((word) => !BUILDING.test(word));
    const unknown = words.find((word) => word.startsWith("-") && word !== "-" && !/^-q/.test(word));
    if (unknown && INDEX_ONLY.test(unknown)) {
      return fail(`${unknown}: there is no index: tables are read from their source text`);
    }
    const key = takeKey(words);
    if (unknown || key === "" || !words.length) return fail(usage);
    const specs = words.map(tableOf);
    return key === undefined
      ? examine(name, specs, aliases, io)
      : await ask(key, specs, aliases, io);
  } catch (error) {
    return fail(reason(error) === NO_DIRECTORY ? usage : reason(error));
  }
}

/** Takes `-q KEY` out; an empty key where it is missing. */
function takeKey(words: string[]): string | undefined {
  const at = words.findIndex((word) => word.startsWith("-q"));
  if (at < 0) return undefined;
  const [option, next] = words.splice(at, words[at] === "-q" ? 2 : 1);
  return option === "-q" ? next ?? "" : option!.slice(2);
}

/** `type:name` of what was named on the command line, a file by its absolute path; a file alone is of the default type. */
function tableOf(word: string): string {
  const [type = "hash", name = word] = typeAndName(word);
  if (type === "proxy") return `${type}:${tableOf(name)}`;
  return isFileType(type) ? `${type}:${resolve(name)}` : `${type}:${name}`;
}

/** Prints the first answer to each key; FAILED when none has one. */
async function ask(
  key: string,
  specs: readonly string[],
  aliases: boolean,
  io: CommandIo,
): Promise<number> {
  const unreadable = specs.flatMap(tableFiles).map(fileProblem).find(Boolean);
  if (unreadable) throw new StorageError(unreadable);
  const environment = { ...RUNNING, aliases };
  const tables = specs.map((spec) => openNested(spec, environment));
  const many = key === "-";
  let found = false;
  for await (const each of many ? inputLines(io, MAX_KEY_LENGTH) : [key]) {
    for (const table of tables) {
      const value = await table.lookup(each);
      if (value === null) continue;
      io.out(many ? `${each}\t${value}\n` : `${value}\n`);
      found = true;
      break;
    }
  }
  return found ? 0 : FAILED;
}

/** Names what is wrong with the tables, line by line. */
function examine(name: string, specs: readonly string[], aliases: boolean, io: CommandIo): number {
  const problems = specs.flatMap((spec) => examineTables(spec, true, () => ({ aliases })));
  for (const { severity, text } of problems) io.err(`${name}: ${severity}: ${text}\n`);
  return problems.some(({ severity, unreadable }) => severity === "fatal" || unreadable)
    ? FAILED
    : 0;
}
