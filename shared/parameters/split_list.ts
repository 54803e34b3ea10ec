/** How main.cf writes lists. */

import { closing, trim } from "../config/logical_lines.ts";
import { ConfigError } from "../errors.ts";

/**
 * Splits main.cf text at commas and white space (ASCII's, as everywhere in it) outside braces; `keepBraces` for
 * `inline:{ ... }`. Throws ConfigError where braces do not match.
 */
export function splitList(text: string, keepBraces = false): string[] {
  const items: string[] = [];
  let depth = 0, item = "";
  const push = () => {
    if (item) items.push(keepBraces ? item : unbraced(item));
    item = "";
  };
  for (const char of text) {
    if (char === "{") depth++;
    if (char === "}") depth--;
    if (depth < 0) throw new ConfigError(`must have as many { as }: is "${text}"`);
    if (depth === 0 && ", \t\r\n".includes(char)) push();
    else item += char;
  }
  if (depth) throw new ConfigError(`must have as many { as }: is "${text}"`);
  push();
  return items;
}

/** `{ text }` without its braces, other text as it is; throws ConfigError where something follows the closing brace. */
export function unbraced(item: string): string {
  if (!item.startsWith("{")) return item;
  if (closing(item, 0) !== item.length - 1) {
    throw new ConfigError(`must end with the } of its {: is "${item}"`);
  }
  return trim(item.slice(1, -1));
}
