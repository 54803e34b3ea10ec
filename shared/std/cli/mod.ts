/** `@std/cli` where JSR is out of reach: the real code from npm's `deno-std`, with the types that are used here. */

// deno-lint-ignore-file no-explicit-any
import * as cli from "deno-std/cli/parse_args.js";

/** The options of the real `parseArgs` that this project uses. */
export interface ParseOptions {
  boolean?: string[];
  string?: string[];
  collect?: string[];
  alias?: Record<string, string | string[]>;
  default?: Record<string, unknown>;
  stopEarly?: boolean;
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** What was on the command line: options by name, and the rest under `_`. */
export type Args = Record<string, any> & { _: (string | number)[] };

export const parseArgs: (args: string[], options?: ParseOptions) => Args = (cli as any).parseArgs;
