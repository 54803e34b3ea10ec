/** The line structure that main.cf, master.cf and lookup tables share. */

export interface LogicalLine {
  readonly text: string;
  /** Of its first physical line, from 1. */
  readonly line: number;
}

/**
 * Joins continued lines: one that starts with white space continues the line before it. Empty lines and those whose
 * first character is `#` are skipped, also inside a continued line. A first line that starts with white space has
 * nothing to continue; it is returned as it is.
 */
export function logicalLines(text: string): LogicalLine[] {
  const lines: { text: string; line: number }[] = [];
  for (const [index, physical] of text.split("\n").entries()) {
    if (/^[ \t\r\v\f]*(?:#|$)/.test(physical)) continue;
    const last = lines.at(-1);
    if (last && startsWithSpace(physical)) last.text += physical;
    else lines.push({ text: physical, line: index + 1 });
  }
  for (const each of lines) each.text = trimEnd(each.text);
  return lines;
}

/** True for a line that continues another, if there is one. */
export function startsWithSpace(line: string): boolean {
  return /^[ \t\r\v\f]/.test(line);
}

/** Takes white space off the end; only ASCII's counts in Postfix's files. */
export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && " \t\r\n\v\f".includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}

/** Takes white space off the start. */
export function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && " \t\r\n\v\f".includes(text[start]!)) start++;
  return text.slice(start);
}

/** Takes white space off both ends. */
export function trim(text: string): string {
  return trimEnd(trimStart(text));
}

/** The index of the bracket that closes the one at `open`, or -1; brackets of other kinds do not count. */
export function closing(text: string, open: number): number {
  const opener = text[open]!, closer = opener === "{" ? "}" : ")";
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === opener) depth++;
    else if (text[at] === closer && --depth === 0) return at;
  }
  return -1;
}
