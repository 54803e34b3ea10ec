/** `smtpd_forbidden_commands`: words, and `regexp:{{/pattern/ result} ...}`. */

import { RE2JS } from "re2js";
import { ConfigError, reason } from "../errors.ts";
import { splitList } from "../parameters/split_list.ts";
import { upperCase } from "./keyword.ts";

/** The test for a verb; throws ConfigError. RE2 matches the patterns: none can take forever. */
export function forbiddenCommands(items: readonly string[]): (verb: string) => boolean {
  const words = new Set<string>();
  const patterns: RE2JS[] = [];
  for (const item of items) {
    const [, rules] = /^(?:regexp|pcre):\{(.*)\}$/s.exec(item) ?? [];
    if (rules !== undefined) patterns.push(...splitList(rules).map(pattern));
    else if (/^[a-z]+:/.test(item)) {
      throw new ConfigError(`tables are not built yet: "${item}"`);
    } else words.add(item.toUpperCase());
  }
  return (verb) => words.has(upperCase(verb)) || patterns.some((each) => each.matcher(verb).find());
}

function pattern(rule: string): RE2JS {
  const [, source] = /^\/(.*)\/\S*\s+\S/.exec(rule) ?? [];
  if (source === undefined) throw new ConfigError(`must be /pattern/ result: is "${rule}"`);
  try {
    return RE2JS.compile(source, RE2JS.CASE_INSENSITIVE);
  } catch (error) {
    throw new ConfigError(reason(error));
  }
}
