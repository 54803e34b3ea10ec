/** main.cf as it is written: `name = value`, with the line of each name. `expand.ts` gives the texts their meaning. */

import { logicalLines, startsWithSpace, trim } from "./logical_lines.ts";
import { type Problem, problem } from "./problem.ts";

export interface MainEntry {
  readonly name: string;
  /** The value as written, not expanded. */
  readonly raw: string;
  readonly line: number;
  /** What counts instead: what is in the file that `raw` names. */
  readonly content?: string;
}

export interface MainCf {
  readonly file: string;
  readonly entries: ReadonlyMap<string, MainEntry>;
  readonly problems: readonly Problem[];
}

/** Parses the text of main.cf; never throws. Of several entries for a name the last one counts. */
export function parseMainCf(text: string, file: string): MainCf {
  const entries = new Map<string, MainEntry>();
  const problems: Problem[] = [];
  for (const { text: logical, line } of logicalLines(text)) {
    const place = { file, line };
    if (startsWithSpace(logical)) {
      problems.push(problem("warning", place, "", continuesNothing(logical)));
      continue;
    }
    const split = splitNameValue(logical);
    if ("error" in split) {
      problems.push(problem("fatal", place, "", split.error));
      continue;
    }
    const { name, value } = split;
    const earlier = entries.get(name);
    if (earlier) {
      problems.push(problem("warning", place, name, `replaces the entry of line ${earlier.line}`));
    }
    entries.set(name, { name, raw: value, line });
  }
  return { file, entries, problems };
}

/** What Postfix, too, passes over. */
export function continuesNothing(line: string): string {
  return `must not start with white space, there is no line to continue: it has no effect: "${line}"`;
}

/** Splits `name = value`; the error says what is missing. */
export function splitNameValue(
  text: string,
): { name: string; value: string } | { error: string } {
  if (text.includes("\0")) return { error: "must have no NUL byte" };
  const equals = text.indexOf("=");
  if (equals < 0) return { error: `must be "name = value", the = is missing: "${text}"` };
  const name = trim(text.slice(0, equals));
  if (!name) return { error: `must be "name = value", the name is missing: "${text}"` };
  if (/[ \t\r\n\v\f]/.test(name)) {
    return { error: `must be "name = value", a name has no white space: "${text}"` };
  }
  return { name, value: trim(text.slice(equals + 1)) };
}
