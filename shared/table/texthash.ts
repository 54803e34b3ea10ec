/**
 * Tables whose source is a text file: `texthash:`, and the indexed types, of which the source is read that stands
 * beside the index. Keys are folded to lower case, as postmap does.
 */

import type { LogicalLine } from "../config/logical_lines.ts";
import { StorageError } from "../errors.ts";
import { type Remarks, tableLines, TextFile } from "./text_file.ts";
import { INDEXED_TYPES, SYSTEM_FILES } from "./spec.ts";
import { type Environment, registerTable, type Table } from "./table.ts";

/** A file of `key value` lines. */
class TextTable implements Table {
  readonly isPattern = false;
  #file: TextFile<Map<string, string>>;

  constructor(readonly spec: string, path: string, environment: Environment) {
    const parse = environment.aliases ? aliasEntry : entry;
    this.#file = new TextFile(
      path,
      (text, remarks) => parseEntries(text, parse, remarks),
      environment,
    );
  }

  lookup(key: string): string | null {
    return this.#file.get().get(key.toLowerCase()) ?? null;
  }
}

type Entry = readonly [key: string, value: string];

/** The entries of a source text; the first of several with the same key counts. */
function parseEntries(
  text: string,
  parse: (line: string) => Entry | undefined,
  remarks: Remarks,
): Map<string, string> {
  const entries = new Map<string, string>();
  for (const each of tableLines(text, remarks)) add(entries, each, parse(each.text), remarks);
  return entries;
}

function add(
  entries: Map<string, string>,
  { line, text }: LogicalLine,
  found: Entry | undefined,
  remarks: Remarks,
): void {
  if (!found || !found[1]) {
    return remarks.wrong(line, `expected format: key whitespace value: is "${text.slice(0, 100)}"`);
  }
  const key = found[0].toLowerCase();
  if (entries.has(key)) remarks.odd(line, `ignoring duplicate entry: "${key}"`);
  else entries.set(key, found[1]);
}

/** `key value`; the key ends at white space without quotes or a backslash: `"joe doe"@example.com joe` (postmap(1)). */
export function entry(line: string): Entry | undefined {
  // White space is ASCII's: a no-break space is a part of the key.
  const match = /^((?:"(?:[^"\\]|\\.)*"|\\.|[^\\ \t\r\v\f"])+)[ \t\r\v\f]+(.*)$/s.exec(line);
  return match ? [match[1]!, match[2]!] : undefined;
}

/** `key: value`; a key in quotes may have anything (aliases(5)). */
function aliasEntry(line: string): Entry | undefined {
  const match = /^(?:"((?:[^"\\]|\\.)*)"|([^\s":]+))\s*:\s*(.*)$/s.exec(line);
  if (!match) return undefined;
  return [match[1]?.replace(/\\(.)/g, "$1") ?? match[2]!, match[3]!];
}

registerTable(
  INDEXED_TYPES,
  (name, environment, spec) => new TextTable(spec, name, environment),
);

/** The columns of a system database, by its first: the whole line is the value. */
function systemEntry(line: string): Entry | undefined {
  const colon = line.indexOf(":");
  return colon > 0 && !/^[+-]/.test(line) ? [line.slice(0, colon), line] : undefined;
}

/** `unix:passwd.byname`: the file itself, not the system's other sources of users, which would need their rights. */
class SystemTable implements Table {
  readonly isPattern = false;
  #file: TextFile<Map<string, string>>;

  constructor(readonly spec: string, name: string, { clock }: Environment) {
    const path = SYSTEM_FILES.get(name);
    if (!path) {
      throw new StorageError(`${spec}: must be one of ${[...SYSTEM_FILES.keys()].join(", ")}`);
    }
    this.#file = new TextFile(
      path,
      (text) => parseEntries(text, systemEntry, { path, wrong() {}, odd() {} }),
      { clock },
    );
  }

  lookup(key: string): string | null {
    return this.#file.get().get(key.toLowerCase()) ?? null;
  }
}

registerTable(["unix"], (name, environment, spec) => new SystemTable(spec, name, environment));
