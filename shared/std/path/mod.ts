/**
 * `@std/path` where JSR is out of reach: the real code from npm's `deno-std`, with the types that are used here. Only what
 * Unix needs, each from its own module: the whole package is 90 modules, and every role would load them at its start.
 */

// deno-lint-ignore-file no-explicit-any
import * as base from "deno-std/path/posix/basename.js";
import * as dir from "deno-std/path/posix/dirname.js";
import * as fromUrl from "deno-std/path/posix/from_file_url.js";
import * as absolute from "deno-std/path/posix/is_absolute.js";
import * as joined from "deno-std/path/posix/join.js";
import * as normal from "deno-std/path/posix/normalize.js";
import * as related from "deno-std/path/posix/relative.js";
import * as resolved from "deno-std/path/posix/resolve.js";
import * as toUrl from "deno-std/path/posix/to_file_url.js";

const real: any = {
  ...base,
  ...dir,
  ...fromUrl,
  ...absolute,
  ...joined,
  ...normal,
  ...related,
  ...resolved,
  ...toUrl,
};

export const basename: (path: string, suffix?: string) => string = real.basename;
export const dirname: (path: string) => string = real.dirname;
export const fromFileUrl: (url: string | URL) => string = real.fromFileUrl;
export const isAbsolute: (path: string) => boolean = real.isAbsolute;
export const join: (path: string | URL, ...paths: string[]) => string = real.join;
export const normalize: (path: string | URL) => string = real.normalize;
export const relative: (from: string, to: string) => string = real.relative;
export const resolve: (...pathSegments: string[]) => string = real.resolve;
export const toFileUrl: (path: string) => URL = real.toFileUrl;
