/**
 * Which files the tables and lists of a parameter live in. The supervisor computes permissions from this, so nothing is
 * imported here that reads a table.
 */

import { splitList } from "../parameters/split_list.ts";

/** Types whose name is the file itself: an index is read from the source beside it. */
export const INDEXED_TYPES = ["texthash", "hash", "btree", "lmdb", "cdb", "dbm", "sdbm"] as const;
/** Types whose name is a file of ordered rules. */
export const RULE_TYPES = ["regexp", "pcre", "cidr"] as const;
/** Types made of others: `unionmap:{ type:a, type:b }`. */
export const COMBINED_TYPES = ["unionmap", "pipemap"] as const;
/** The other types that there are. */
const SIMPLE_TYPES = ["inline", "static", "fail", "proxy", "unix"] as const;
const TYPES: readonly string[] = [
  ...INDEXED_TYPES,
  ...RULE_TYPES,
  ...COMBINED_TYPES,
  ...SIMPLE_TYPES,
];
/** Postfix's other types: a table of such a type can never answer. */
const NOT_BUILT: readonly string[] = [
  ...["mysql", "pgsql", "sqlite", "ldap", "mongodb", "memcache", "tcp", "socketmap"],
  ...["randmap", "environ", "internal", "debug", "nis", "nisplus", "netinfo"],
];
/** What `unix:` can name. */
export const SYSTEM_FILES: ReadonlyMap<string, string> = new Map([
  ["passwd.byname", "/etc/passwd"],
  ["group.byname", "/etc/group"],
]);
/** Tables in tables nest up to here. */
export const MAX_TABLE_NESTING = 10;

const FILE_TYPES: readonly string[] = [...INDEXED_TYPES, ...RULE_TYPES];

/**
 * The files that a parameter's fully expanded text needs: `texthash:/a/b` needs `/a/b`, `inline:` none, `unionmap:` those
 * of all its tables; `/file` in a match list is itself. Words that are no tables are passed over.
 */
export function tableFiles(text: string): string[] {
  return [...new Set(items(text).flatMap((item) => filesOf(item, 0)))];
}

/** `type:name` in its two parts; none of text that is not of this form. */
export function typeAndName(spec: string): string[] {
  return /^([a-z]+):([^]+)$/.exec(spec)?.slice(1) ?? [];
}

/** True for a type whose name is a file's. */
export function isFileType(type: string): boolean {
  return FILE_TYPES.includes(type);
}

/** Why `type:name` can be no table here, with the types inside of it; undefined where it can be one. */
export function specProblem(spec: string, depth = 0): string | undefined {
  const [type, name] = typeAndName(spec);
  if (!type || !name) return `must be type:name: is "${spec}"`;
  if (NOT_BUILT.includes(type)) return `tables of type ${type} are not built yet: "${spec}"`;
  if (!TYPES.includes(type)) return `unknown table type ${type}: "${spec}"`;
  if (depth > MAX_TABLE_NESTING) return `tables nest deeper than ${MAX_TABLE_NESTING}: "${spec}"`;
  if (isFileType(type) && !name.startsWith("/")) {
    return `must name a file by its absolute path: "${spec}"`;
  }
  if (type === "unix" && !SYSTEM_FILES.has(name)) {
    return `must be unix:${[...SYSTEM_FILES.keys()].join(" or unix:")}: is "${spec}"`;
  }
  return partsOf(type, name).map((part) => specProblem(part, depth + 1)).find(Boolean);
}

/** The tables that a table of that type is made of. */
function partsOf(type: string, name: string): string[] {
  if (type === "proxy") return [name];
  if (!(COMBINED_TYPES as readonly string[]).includes(type)) return [];
  return items(name.replace(/^\{/, "").replace(/\}$/, ""));
}

/** The tables and files among a parameter's items, each table that is made of others followed by those. */
export function tablesOf(text: string): string[] {
  return tableItems(text).map(({ spec }) => spec);
}

/** The same, with whether `!` stands before it. */
export function tableItems(text: string): { readonly spec: string; readonly excepts: boolean }[] {
  const flat = (spec: string, depth: number): string[] => {
    const [type, name] = typeAndName(spec);
    if (!type || !name || depth > MAX_TABLE_NESTING) return spec.startsWith("/") ? [spec] : [];
    return [spec, ...partsOf(type, name).flatMap((part) => flat(part, depth + 1))];
  };
  return items(text).flatMap((item) => {
    const spec = item.replace(/^!+/, ""), excepts = (item.length - spec.length) % 2 === 1;
    return flat(spec, 0).map((spec) => ({ spec, excepts }));
  });
}

/** Text whose braces do not match is no list: the parameter's own declaration refuses it by name. */
function items(text: string): string[] {
  try {
    return splitList(text, true);
  } catch {
    return [];
  }
}

function filesOf(item: string, depth: number): string[] {
  const spec = item.replace(/^!+/, "");
  if (spec.startsWith("/")) return [spec];
  const [type, name] = typeAndName(spec);
  if (!type || !name || depth > MAX_TABLE_NESTING) return [];
  // A row names files by their absolute paths; any other is refused by the parameter's own declaration.
  if (isFileType(type)) return name.startsWith("/") ? [name] : [];
  if (type === "unix") return [SYSTEM_FILES.get(name) ?? []].flat();
  return partsOf(type, name).flatMap((part) => filesOf(part, depth + 1));
}
