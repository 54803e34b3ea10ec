/**
 * Which files the tables and lists of a parameter live in. The supervisor computes permissions from this, so nothing is
 * imported here that reads a table.
 */

import { splitList } from "../parameters/declare.ts";

/** Types whose name is the file itself: an index is read from the source beside it. */
export const INDEXED_TYPES = ["texthash", "hash", "btree", "lmdb", "cdb", "dbm", "sdbm"] as const;
/** Types whose name is a file of ordered rules. */
export const RULE_TYPES = ["regexp", "pcre", "cidr"] as const;
/** Types made of others: `unionmap:{ type:a, type:b }`. */
export const COMBINED_TYPES = ["unionmap", "pipemap"] as const;
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
  if (FILE_TYPES.includes(type)) return [name];
  if (type === "unix") return [SYSTEM_FILES.get(name) ?? []].flat();
  if (type === "proxy") return filesOf(name, depth + 1);
  if (!(COMBINED_TYPES as readonly string[]).includes(type)) return [];
  const inner = name.replace(/^\{/, "").replace(/\}$/, "");
  return items(inner).flatMap((part) => filesOf(part, depth + 1));
}
