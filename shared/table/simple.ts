/** Tables without a file: `inline:`, `static:`, `fail:`, and those made of other tables. */

import { StorageError } from "../errors.ts";
import { trim } from "../config/logical_lines.ts";
import { splitList, unbraced } from "../parameters/split_list.ts";
import { COMBINED_TYPES } from "./spec.ts";
import { type MaybePromise, openNested, registerTable, type Table } from "./table.ts";

/** `inline:{ key = value, { key = value with spaces } }`. */
class InlineTable implements Table {
  readonly isPattern = false;
  #entries = new Map<string, string>();

  constructor(readonly spec: string, name: string) {
    if (!name.startsWith("{") || !name.endsWith("}")) {
      throw new StorageError(`${spec}: must be inline:{ key=value, ... }`);
    }
    for (const pair of splitList(name.slice(1, -1))) {
      // Postfix takes no key with white space; here `{ "joe doe"@example.com = joe }` is one.
      const equals = pair.indexOf("=");
      const key = trim(pair.slice(0, equals)), value = trim(pair.slice(equals + 1));
      if (equals < 0 || !key) {
        throw new StorageError(`${spec}: must be key=value: is "${pair}"`);
      }
      this.#entries.set(key.toLowerCase(), value);
    }
    if (!this.#entries.size) throw new StorageError(`${spec}: has no key=value`);
  }

  lookup(key: string): string | null {
    return this.#entries.get(key.toLowerCase()) ?? null;
  }
}

registerTable(["inline"], (name, _environment, spec) => new InlineTable(spec, name));

registerTable(["static"], (name, _environment, spec) => {
  const value = unbraced(name);
  return { spec, isPattern: false, lookup: () => value };
});

registerTable(["fail"], (_name, _environment, spec) => ({
  spec,
  isPattern: false,
  lookup() {
    throw new StorageError(`${spec}: always fails`);
  },
}));

/** rewrite is proxymap too: it opens what stands behind the name itself. */
registerTable(["proxy"], (name, environment) => openNested(name, environment));

/** The tables of `{ type:a, type:b }`. */
function parts(name: string): string[] {
  if (!name.startsWith("{") || !name.endsWith("}")) {
    throw new StorageError(`must be { type:name, ... }: is "${name}"`);
  }
  return splitList(name.slice(1, -1), true);
}

/** All that the tables have under the key, joined with commas. */
function union(tables: readonly Table[], key: string): MaybePromise<string | null> {
  const values = tables.map((table) => table.lookup(key));
  const joined = (values: (string | null)[]) => {
    const found = values.filter((value) => value !== null);
    return found.length ? found.join(",") : null;
  };
  return values.some((value) => value instanceof Promise)
    ? Promise.all(values).then(joined)
    : joined(values as (string | null)[]);
}

/** What each table has is the key for the next. */
function pipe(tables: readonly Table[], key: string, start = 0): MaybePromise<string | null> {
  for (let i = start; i < tables.length; i++) {
    const value = tables[i]!.lookup(key);
    if (value instanceof Promise) {
      return value.then((value) => value === null ? null : pipe(tables, value, i + 1));
    }
    if (value === null) return null;
    key = value;
  }
  return key;
}

const COMBINE = { unionmap: union, pipemap: pipe };

for (const type of COMBINED_TYPES) {
  registerTable([type], (name, environment, spec) => {
    const tables = parts(name).map((part) => openNested(part, environment));
    if (!tables.length) throw new StorageError(`${spec}: names no table`);
    const lookup = (key: string) => COMBINE[type](tables, key);
    return { spec, isPattern: tables.some((table) => table.isPattern), lookup };
  });
}
