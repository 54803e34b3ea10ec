/** Lookup tables: one interface, and a registry by type that every kind of table joins. */

import { reason, StorageError } from "../errors.ts";
import { warning } from "../log/log.ts";
import type { Reading } from "./text_file.ts";
import { MAX_TABLE_NESTING, typeAndName } from "./spec.ts";

export type MaybePromise<T> = T | Promise<T>;

/** From a string key to a string value. Tables in memory answer without a promise. */
export interface Table {
  /** The specification it was opened with, `type:name`, for log lines. */
  readonly spec: string;
  /** Sees full keys only: no domain, no bare user, no part of an address (reference 1.5). */
  readonly isPattern: boolean;
  /** Null when the key is not there; throws StorageError when the table cannot tell. */
  lookup(key: string): MaybePromise<string | null>;
}

/** What a table may use. */
export interface Environment extends Reading {
  /** Tables in the format of aliases(5), `key: value`. */
  readonly aliases?: boolean;
  /** Rules whose result has a part of the key (`$1`) are left out. */
  readonly fixedResults?: boolean;
}

/** Makes a table from what stands after the colon; throws an error that says what is wrong with it. */
export type OpenTable = (name: string, environment: Environment, spec: string) => Table;

const types = new Map<string, OpenTable>();

/** Adds a type; its module calls this once. */
export function registerTable(names: readonly string[], open: OpenTable): void {
  for (const name of names) types.set(name, open);
}

/** Time as the process has it. */
export const RUNNING: Environment = { clock: () => performance.now() };

/** Tables that are open, so that two parameters that name the same one share it. */
const opened = new WeakMap<Environment, Map<string, Table>>();

/** Opens a table. One that cannot be opened is a table whose lookups fail, and one warning. */
export function openTable(spec: string, environment = RUNNING): Table {
  const known = opened.get(environment) ?? new Map<string, Table>();
  opened.set(environment, known);
  const table = known.get(spec) ?? openOrFail(spec, environment);
  known.set(spec, table);
  return table;
}

function openOrFail(spec: string, environment: Environment): Table {
  try {
    return open(spec, environment);
  } catch (error) {
    const text = reason(error);
    warning(text);
    return {
      spec,
      isPattern: false,
      lookup() {
        throw new StorageError(text);
      },
    };
  }
}

let nesting = 0;

function open(spec: string, environment: Environment): Table {
  const [type, name] = typeAndName(spec);
  if (!type || !name) throw new StorageError(`${spec}: a table must be type:name`);
  const open = types.get(type);
  if (!open) throw new StorageError(`${spec}: unsupported table type: ${type}`);
  if (nesting >= MAX_TABLE_NESTING) {
    throw new StorageError(`${spec}: tables nest deeper than ${MAX_TABLE_NESTING}`);
  }
  nesting++;
  try {
    return open(name.trim(), environment, spec);
  } finally {
    nesting--;
  }
}

/** Opens a table inside another; throws where `openTable()` would make one that fails. */
export const openNested = open;

/** Tables in the order in which they are asked: the first that has the key answers, one that fails ends the search. */
export class TableList {
  readonly tables: readonly Table[];

  constructor(
    specs: readonly string[],
    environment: Environment | ((spec: string) => Environment) = RUNNING,
  ) {
    const of = typeof environment === "function" ? environment : () => environment;
    this.tables = specs.map((spec) => openTable(spec, of(spec)));
  }

  get empty(): boolean {
    return this.tables.length === 0;
  }

  /** `partial`: the key is a part of what is really looked for, so pattern tables are passed over. */
  lookup(key: string, partial = false): MaybePromise<string | null> {
    return this.#from(0, key, partial);
  }

  #from(start: number, key: string, partial: boolean): MaybePromise<string | null> {
    for (let i = start; i < this.tables.length; i++) {
      const table = this.tables[i]!;
      if (partial && table.isPattern) continue;
      const value = table.lookup(key);
      if (value instanceof Promise) {
        return value.then((value) =>
          value === null ? this.#from(i + 1, key, partial) : something(value, table, key)
        );
      }
      if (value !== null) return something(value, table, key);
    }
    return null;
  }
}

/** Nothing means nothing where a result is needed: whoever wrote it has to say what was meant. */
function something(value: string, { spec }: Table, key: string): string {
  if (value === "") throw new StorageError(`${spec}: empty result for ${key}`);
  return value;
}
