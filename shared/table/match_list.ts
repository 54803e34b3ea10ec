/**
 * Lists that a domain is matched against: mydestination, relay_domains. Entries are names, `type:table` lookups and `/file`
 * includes, each with `!` to except what it matches. The first that matches decides. A line that a table skips matches
 * nothing, so tables that except skip none: they fail.
 */

import { ConfigError, StorageError } from "../errors.ts";
import { parseNetwork } from "../net/network.ts";
import { splitList } from "../parameters/declare.ts";
import { TextFile } from "./text_file.ts";
import { type Environment, type MaybePromise, openTable, RUNNING } from "./table.ts";
import "./types.ts";

/** Files that include files, up to here. */
const MAX_INCLUDES = 10;

/** How names match the domains below them (parent_domain_matches_subdomains). */
export type Parents =
  /** Not at all: mydestination, virtual_alias_domains, virtual_mailbox_domains. */
  | "exact"
  /** `example.com` matches itself and everything below. */
  | "subdomains"
  /** `.example.com` matches everything below. */
  | "dot";

/** Says yes or no, or nothing where it does not match. */
type Entry = (domain: string) => MaybePromise<boolean | undefined>;
type Matcher = (domain: string) => MaybePromise<boolean>;

/** Names of domains or hosts. */
export class DomainList {
  #entries: Entry[];

  /** Throws ConfigError for an entry that cannot be understood. */
  constructor(items: readonly string[], parents: Parents, environment = RUNNING) {
    const name = (item: string) => (domain: string) => matchesName(domain, item, parents);
    this.#entries = parse(items, name, (table) => {
      return (domain) => tableHasDomain(table, domain, parents);
    }, environment);
  }

  /** True if the domain is of the list; throws StorageError when a table or file cannot tell. */
  matches(domain: string): MaybePromise<boolean> {
    return orNo(decide(this.#entries, domain.toLowerCase()));
  }
}

/** The first entry that says anything; undefined if none does. */
function decide(
  entries: readonly Entry[],
  domain: string,
  start = 0,
): MaybePromise<boolean | undefined> {
  for (let i = start; i < entries.length; i++) {
    const said = entries[i]!(domain);
    if (said instanceof Promise) {
      return said.then((said) => said ?? decide(entries, domain, i + 1));
    }
    if (said !== undefined) return said;
  }
  return undefined;
}

function orNo(said: MaybePromise<boolean | undefined>): MaybePromise<boolean> {
  return said instanceof Promise ? said.then((said) => said ?? false) : said ?? false;
}

type Lookup = ReturnType<typeof openTable>;

function parse(
  items: readonly string[],
  plain: (item: string) => Matcher,
  table: (table: Lookup) => Matcher,
  environment: Environment,
  depth = 0,
): Entry[] {
  return items.map((text) => {
    const item = text.replace(/^!+/, "");
    const yes = (text.length - item.length) % 2 === 0;
    if (!item) throw new ConfigError(`"${text}" names nothing`);
    const inner = yes ? environment : { ...environment, strict: !environment.strict };
    if (item.startsWith("/")) {
      return included(item, yes, (items) => parse(items, plain, table, inner, depth + 1), {
        ...environment,
        depth: depth + 1,
      });
    }
    const isTable = /^[a-z]+:./.test(item) && parseNetwork(item) === undefined;
    const matches = isTable ? table(openTable(item, inner)) : plain(item);
    return (domain) => {
      const matched = matches(domain);
      if (matched instanceof Promise) return matched.then((matched) => matched ? yes : undefined);
      return matched ? yes : undefined;
    };
  });
}

/** The entries of a file, in place of its name. */
function included(
  path: string,
  yes: boolean,
  parse: (items: string[]) => Entry[],
  { depth, ...environment }: Environment & { depth: number },
): Entry {
  if (depth > MAX_INCLUDES) throw new StorageError(`${path}: included deeper than ${MAX_INCLUDES}`);
  const file = new TextFile(path, (text) => {
    const kept = text.split("\n").filter((line) => !line.trimStart().startsWith("#"));
    return parse(splitList(kept.join("\n")));
  }, environment);
  const turn = (said: boolean | undefined) => said === undefined ? undefined : said === yes;
  return (domain) => {
    const said = decide(file.get(), domain);
    return said instanceof Promise ? said.then(turn) : turn(said);
  };
}

function matchesName(domain: string, item: string, parents: Parents): boolean {
  const name = item.toLowerCase();
  if (domain === name) return true;
  if (parents === "subdomains") return domain.endsWith(`.${name}`);
  return parents === "dot" && name.startsWith(".") && domain.endsWith(name);
}

/** The domain as a key, then its parents in the form that the list wants. */
function tableHasDomain(table: Lookup, domain: string, parents: Parents): MaybePromise<boolean> {
  return hasAny(table, domainKeys(domain, table.isPattern ? "exact" : parents), 0);
}

function hasAny(table: Lookup, keys: readonly string[], start: number): MaybePromise<boolean> {
  for (let i = start; i < keys.length; i++) {
    const value = table.lookup(keys[i]!);
    if (value instanceof Promise) {
      return value.then((value) => value !== null || hasAny(table, keys, i + 1));
    }
    if (value !== null) return true;
  }
  return false;
}

/** `a.b.c`, then `b.c` and `c`, or `.b.c` and `.c`; literals have no parents. */
export function domainKeys(domain: string, parents: Parents): string[] {
  const keys = [domain];
  if (parents === "exact" || domain.startsWith("[")) return keys;
  for (let dot = domain.indexOf("."); dot >= 0; dot = domain.indexOf(".", dot + 1)) {
    const key = domain.slice(parents === "dot" ? dot : dot + 1);
    if (key !== "" && key !== ".") keys.push(key);
  }
  return keys;
}
