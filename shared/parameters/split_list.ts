/** How main.cf writes lists. */

import { ConfigError } from "../errors.ts";

/** Splits main.cf text at commas and white space outside braces; `keepBraces` for `inline:{ ... }`. */
export function splitList(text: string, keepBraces = false): string[] {
  const items: string[] = [];
  let depth = 0, item = "";
  const push = () => {
    const braced = !keepBraces && item.startsWith("{") && item.endsWith("}");
    if (item) items.push(braced ? item.slice(1, -1).trim() : item);
    item = "";
  };
  for (const char of text) {
    if (char === "{") depth++;
    if (char === "}") depth--;
    if (depth < 0) throw new ConfigError(`must have as many { as }: is "${text}"`);
    if (depth === 0 && /[\s,]/.test(char)) push();
    else item += char;
  }
  if (depth) throw new ConfigError(`must have as many { as }: is "${text}"`);
  push();
  return items;
}
