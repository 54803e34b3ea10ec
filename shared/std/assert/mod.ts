/** `@std/assert` where JSR is out of reach: the real code from npm's `deno-std`, with the types that are used here. */

// deno-lint-ignore-file no-explicit-any
import * as real from "deno-std/assert/mod.js";

const impl = real as any;

type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

export const assert: (expr: unknown, msg?: string) => asserts expr = impl.assert;
export const assertAlmostEquals: (a: number, b: number, tolerance?: number, msg?: string) => void =
  impl.assertAlmostEquals;
export const assertEquals: <T>(actual: T, expected: T, msg?: string) => void = impl.assertEquals;
export const assertExists: <T>(actual: T, msg?: string) => asserts actual is NonNullable<T> =
  impl.assertExists;
export const assertGreaterOrEqual: <T>(actual: T, expected: T, msg?: string) => void =
  impl.assertGreaterOrEqual;
export const assertLess: <T>(actual: T, expected: T, msg?: string) => void = impl.assertLess;
export const assertMatch: (actual: string, expected: RegExp, msg?: string) => void =
  impl.assertMatch;
export const assertNotEquals: <T>(actual: T, expected: T, msg?: string) => void =
  impl.assertNotEquals;
export const assertNotMatch: (actual: string, expected: RegExp, msg?: string) => void =
  impl.assertNotMatch;
export const assertRejects: <E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  msgIncludes?: string,
) => Promise<E> = impl.assertRejects;
export const assertStringIncludes: (actual: string, expected: string, msg?: string) => void =
  impl.assertStringIncludes;
export const assertThrows: <E extends Error = Error>(
  fn: () => unknown,
  errorClass?: ErrorClass<E>,
  msgIncludes?: string,
) => E = impl.assertThrows;
export const fail: (msg?: string) => never = impl.fail;
