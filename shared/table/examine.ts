/** Finds what is wrong with tables before somebody asks them. */

import { reason } from "../errors.ts";
import { divert } from "../log/log.ts";
import { fileProblem } from "./text_file.ts";
import { tableFiles, tableItems } from "./spec.ts";
import { type Environment, openNested, RUNNING } from "./table.ts";
import "./types.ts";

/** As many lines of one file are named as somebody may want to mend by hand. */
const MAX_WARNINGS = 1000;

/** What is wrong with a table. */
export interface TableProblem {
  /** Fatal: it can never answer. Otherwise it answers again when its file has been mended. */
  readonly severity: "fatal" | "warning";
  /** There is no file, or none that can be read. */
  readonly unreadable?: boolean;
  readonly text: string;
}

/**
 * The problems of all tables and files of a parameter's expanded text. `read`: files are read to the end; without, they are
 * looked for alone, which takes no time with large ones. `kind`: what is special about a table.
 */
export function examineTables(
  text: string,
  read: boolean,
  kind: (spec: string) => Pick<Environment, "aliases" | "fixedResults">,
): TableProblem[] {
  return tableItems(text).flatMap(({ spec, excepts }) => {
    const [file] = spec.startsWith("/") ? [spec] : tableFiles(spec);
    const missing = file === undefined ? undefined : fileProblem(file);
    if (missing) return [{ ...waits(missing), unreadable: true }];
    return spec.startsWith("/") ? [] : examine(spec, read, {
      ...RUNNING,
      ...kind(spec),
      strict: excepts,
      maxWarnings: MAX_WARNINGS,
    });
  });
}

function waits(text: string): TableProblem {
  return { severity: "warning", text: `${text}: what needs it must wait until that is mended` };
}

function examine(spec: string, read: boolean, environment: Environment): TableProblem[] {
  const found: TableProblem[] = [];
  try {
    const table = openNested(spec, environment);
    // Only a file has anything to read: an answer from elsewhere is not waited for.
    if (!read || !tableFiles(spec).length) return [];
    divert((_severity, text) => found.push({ severity: "warning", text }), () => {
      try {
        table.lookup(" ");
      } catch (error) {
        // The same was said when it was read.
        const why = reason(error), others = found.filter(({ text }) => !text.startsWith(why));
        found.splice(0, Infinity, ...others, waits(why));
      }
    });
  } catch (error) {
    found.push({ severity: "fatal", text: reason(error) });
  }
  return found;
}
