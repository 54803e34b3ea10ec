/** `@std/path` where JSR is out of reach: the real code from npm's `deno-std`, with the types that are used here. */

// deno-lint-ignore-file no-explicit-any
import * as path from "deno-std/path/mod.js";

const real = path as any;

export const basename: (path: string, suffix?: string) => string = real.basename;
export const dirname: (path: string) => string = real.dirname;
export const fromFileUrl: (url: string | URL) => string = real.fromFileUrl;
export const isAbsolute: (path: string) => boolean = real.isAbsolute;
export const join: (path: string | URL, ...paths: string[]) => string = real.join;
export const normalize: (path: string | URL) => string = real.normalize;
export const relative: (from: string, to: string) => string = real.relative;
export const resolve: (...pathSegments: string[]) => string = real.resolve;
export const toFileUrl: (path: string) => URL = real.toFileUrl;
