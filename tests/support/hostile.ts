/** Text that is meant to hurt whoever parses it: for the property tests beside the parsers. */

import { assert } from "@std/assert";
import fc from "fast-check";
import { worked } from "./work.ts";

/** Letters and signs that look like ASCII, or become ASCII in another case: none may be taken for it. */
export const LOOK_ALIKES = [
  "\u017f",
  "\u212a",
  "\u0130",
  "\u0131",
  "\u0430",
  "\u0455",
  "\uff20",
  "\uff1a",
  "\uff0e",
  "\u0660",
  "\uff11",
];
/** Keys that every object has, or that change it. */
export const PROTOTYPE_NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty"];

const ODD = ["\0", "\x1b[2J", "\x7f", "\x85", "\u202e", "\u2028", "\ud800", "é", "\u{1f4ec}"];

const LAST_ASCII = 0x7f, LAST = 0x10ffff;
/** What only pairs of them mean. */
const SURROGATES = { first: 0xd800, count: 0x800 };

/** Any character but half a pair, half of them ASCII. What fast-check has of its own, `unit: "binary"`, takes a second to make. */
export const anyCharacter: fc.Arbitrary<string> = fc.oneof(
  fc.nat(LAST_ASCII),
  fc.nat(LAST - SURROGATES.count),
).map((n) => String.fromCodePoint(n < SURROGATES.first ? n : n + SURROGATES.count));

/** Text of these parts and of what hurts, or any text at all. */
export function near(...parts: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...parts) },
    { weight: 1, arbitrary: fc.constantFrom(...LOOK_ALIKES, ...PROTOTYPE_NAMES, ...ODD) },
  );
  return fc.oneof(
    { weight: 4, arbitrary: fc.array(piece, { maxLength: 40 }).map((all) => all.join("")) },
    { weight: 1, arbitrary: fc.string({ unit: anyCharacter, maxLength: 200 }) },
  );
}

/** Each letter of `text` that has a look-alike in its place once: `yeſ` for `yes`, `s\u212aip` for `skip`. */
export function disguised(text: string): string[] {
  const faces: Readonly<Record<string, string>> = { s: "\u017f", k: "\u212a", i: "\u0131" };
  return [...text].flatMap((char, at) => {
    const face = Object.hasOwn(faces, char.toLowerCase()) ? faces[char.toLowerCase()] : undefined;
    return face ? [text.slice(0, at) + face + text.slice(at + 1)] : [];
  });
}

// deno-lint-ignore no-explicit-any
type ErrorClass = abstract new (...args: any[]) => Error;

/** The result; undefined where the parser threw what it declares. Any other error is a fault. */
export function attempt<T>(parse: () => T, ...declared: readonly ErrorClass[]): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (declared.some((each) => error instanceof each)) return undefined;
    throw error;
  }
}

/** What a parser is given at once. */
const LONG_CHARS = 60_000;
/** Of work: seven times what the slowest takes that looks at each once; a look at all of them for each takes many times as long. */
const LIMIT_MS = 1000;

/**
 * Gives a parser `LONG_CHARS` characters of each part again and again, bare, in what `around` says, and with something odd at
 * the end, where those that go back begin to. Fails when one takes time beyond proportion.
 */
export function assertQuick(
  parse: (text: string) => unknown,
  parts: readonly string[],
  { around = [""], declared = [] }: {
    around?: readonly string[];
    declared?: readonly ErrorClass[];
  } = {},
): void {
  for (const part of parts) {
    const body = part.repeat(Math.ceil(LONG_CHARS / part.length));
    for (const before of around) {
      for (const text of [before + body, `${before}${body}x\x01`, `${before}${body}\u2028"`]) {
        const began = worked();
        attempt(() => parse(text), ...declared);
        const took = Math.round(worked() - began);
        assert(took < LIMIT_MS, `${JSON.stringify(before + part)}... took ${took} ms`);
      }
    }
  }
}
