/** What table files may answer, whatever they are asked: the supervisor looks there for where mail may go. */

import { logicalLines } from "../config/logical_lines.ts";
import { delimited, negation } from "./rules.ts";
import { tablesOf, typeAndName } from "./spec.ts";
import { entry } from "./texthash.ts";

/** The results in the files of a parameter's tables, as they are written there; `read` has the text of a file. */
export function resultsOf(text: string, read: (file: string) => string): string[] {
  return tablesOf(text).flatMap((spec) => {
    const [type, file] = typeAndName(spec);
    if (!type || !file?.startsWith("/")) return [];
    const resultOf = type === "regexp" || type === "pcre" ? patternResult : entryResult;
    return logicalLines(read(file)).map(({ text }) => resultOf(text));
  });
}

function entryResult(line: string): string {
  return entry(line)?.[1] ?? "";
}

/** A line that is no rule has no result, and neither has `if`. */
function patternResult(line: string): string {
  try {
    return delimited(negation(line).text).result;
  } catch {
    return "";
  }
}
