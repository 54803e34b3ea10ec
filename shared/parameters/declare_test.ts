import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../errors.ts";
import { assertQuick, attempt, disguised, near } from "../../tests/support/hostile.ts";
import {
  bool,
  choice,
  int,
  limit,
  list,
  maps,
  parseAll,
  perTransport,
  someText,
  splitList,
  text,
  time,
} from "./declare.ts";

const doc = "A test.";

const good: [string, unknown, unknown][] = [
  ["bool() takes yes in any case", bool("x", "no", { doc }).parse("YES"), true],
  ["bool() takes no", bool("x", "no", { doc }).parse("no"), false],
  ["int() takes a negative number where it may", int("x", "0", { doc, min: -5 }).parse("-5"), -5],
  ["int() takes its bounds", int("x", "1", { doc, min: 1, max: 3 }).parse("3"), 3],
  ["limit() takes 0 for none", limit("x", "1", { doc }).parse("0"), Infinity],
  ["limit() takes any other number as it is", limit("x", "1", { doc }).parse("7"), 7],
  ["time() is in seconds without a unit", time("x", "1", { doc }).parse("90"), 90],
  ["time() has the unit of its default", time("x", "5d", { doc }).parse("2"), 172_800],
  ["time() has the unit of a default of zero", time("x", "0h", { doc }).parse("4"), 14_400],
  ["time() knows minutes", time("x", "1", { doc }).parse("5m"), 300],
  ["time() knows hours, in either case", time("x", "1", { doc }).parse("2H"), 7200],
  ["time() knows days", time("x", "1", { doc }).parse("5d"), 432_000],
  ["time() knows weeks", time("x", "1", { doc }).parse("1w"), 604_800],
  ["text() keeps what it gets", text("x", "", { doc }).parse(" a b "), " a b "],
  ["choice() gives its own spelling", choice("x", "may", ["may"], { doc }).parse("MAY"), "may"],
  ["list() splits at commas and space", list("x", "", { doc }).parse("a, b\n c,,d"), [
    "a",
    "b",
    "c",
    "d",
  ]],
  ["list() takes braces off", list("x", "", { doc }).parse("a {b, c} d"), ["a", "b, c", "d"]],
  ["list() of nothing is empty", list("x", "", { doc }).parse(" , "), []],
  ["maps() keeps braces", maps("x", "", { doc }).parse("inline:{ a=b, c=d } hash:/x"), [
    "inline:{ a=b, c=d }",
    "hash:/x",
  ]],
];

for (const [what, actual, expected] of good) {
  Deno.test(what, () => assertEquals(actual, expected));
}

const bad: [string, () => unknown, string][] = [
  ["bool() refuses another word", () => bool("x", "no", { doc }).parse("true"), '"yes" or "no"'],
  ["int() refuses a unit", () => int("x", "0", { doc }).parse("5k"), "whole number"],
  ["int() refuses a fraction", () => int("x", "0", { doc }).parse("1.5"), "whole number"],
  [
    "int() refuses what it cannot hold",
    () => int("x", "0", { doc }).parse("9".repeat(16)),
    "whole",
  ],
  ["int() is not negative by default", () => int("x", "0", { doc }).parse("-1"), "at least 0"],
  ["int() keeps its upper bound", () => int("x", "0", { doc, max: 3 }).parse("4"), "at most 3"],
  ["time() refuses another unit", () => time("x", "0", { doc }).parse("5y"), "must be a time"],
  ["time() refuses what no clock needs", () => time("x", "0", { doc }).parse("40000w"), "at most"],
  ["someText() refuses none", () => someText("x", "a", { doc }).parse(""), "must not be empty"],
  ["time() refuses nothing", () => time("x", "0", { doc }).parse(""), "must be a time"],
  ["time() bounds the seconds", () => time("x", "0", { doc, max: 60 }).parse("2m"), "at most 60"],
  ["choice() refuses another word", () => choice("x", "a", ["a", "b"], { doc }).parse("c"), "a, b"],
  ["maps() refuses a name without type", () => maps("x", "", { doc }).parse("/x"), "type:name"],
  ["list() refuses an open brace", () => list("x", "", { doc }).parse("{a"), "as many"],
  ["list() refuses a closing brace alone", () => list("x", "", { doc }).parse("a}"), "as many"],
];

for (const [what, parse, message] of bad) {
  Deno.test(what, () => {
    assertThrows(parse, ConfigError, message);
  });
}

Deno.test("splitList() gives items, or ConfigError, for any text", () => {
  const parts = fc.array(fc.constantFrom("a", "b", " ", ",", "{", "}", "\n", "type:"));
  fc.assert(
    fc.property(parts.map((each) => each.join("")), fc.boolean(), (text, keepBraces) => {
      let items: string[];
      try {
        items = splitList(text, keepBraces);
      } catch (error) {
        if (error instanceof ConfigError) return;
        throw error;
      }
      // Nothing is lost but separators and the braces around items.
      const kept = (part: string) => part.replace(/[\s,{}]/g, "");
      assertEquals(kept(items.join("")), kept(text));
    }),
  );
});

Deno.test("perTransport() takes the transport's own value, else the default", () => {
  const limit = perTransport(int("default_x_limit", "5", { doc }), "_x_limit");
  const of = limit.parse(JSON.stringify({ "": "5", smtp: "20" }));
  assertEquals([of("smtp"), of("relay"), of("constructor")], [20, 5, 5]);
  assertThrows(() => limit.parse(JSON.stringify({ "": "many" })), ConfigError);
});

Deno.test("parseAll() names the parameter that is wrong or missing", () => {
  const declared = { waitSeconds: time("my_wait", "1s", { doc }) };
  assertEquals(parseAll(declared, { my_wait: "2m" }).waitSeconds, 120);
  assertThrows(
    () => parseAll(declared, { my_wait: "soon" }),
    ConfigError,
    "my_wait: must be a time",
  );
  assertThrows(() => parseAll(declared, {}), ConfigError, "my_wait: no value");
});

Deno.test("int() and time() stay within their bounds, for any text", () => {
  const bounds = { doc, min: 5, max: 1000 };
  const { parse: number } = int("x", "5", bounds), { parse: seconds } = time("x", "5", bounds);
  fc.assert(fc.property(near("1", "60", "-", ".", "e", "s", "m", "w", " ", "0x", "+"), (text) => {
    for (const parse of [number, seconds]) {
      const value = attempt(() => parse(text), ConfigError);
      assert(value === undefined || Number.isInteger(value) && value >= 5 && value <= 1000);
    }
  }));
  for (const parse of [number, seconds]) {
    assertQuick(parse, ["1", "-", " ", "s", "1 "], { around: ["", "1"], declared: [ConfigError] });
  }
});

Deno.test("time() gives back what is written in any unit, in any case", () => {
  const UNITS = { "": 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
  const unit = fc.constantFrom(...Object.entries(UNITS));
  fc.assert(fc.property(fc.nat(3500), unit, fc.boolean(), (amount, [letter, seconds], upper) => {
    const text = `${amount}${upper ? letter.toUpperCase() : letter}`;
    assertEquals(time("x", "0", { doc }).parse(text), amount * seconds);
  }));
});

Deno.test("bool(), choice() and time() take nothing that only looks like what they want", () => {
  const kinds = [
    bool("x", "no", { doc }),
    choice("x", "skip", ["skip"], { doc }),
    time("x", "1", { doc }),
  ];
  for (
    const text of [
      ...disguised("yes"),
      ...disguised("skip"),
      ...disguised("5s"),
      "\uff15",
      "\u0665s",
    ]
  ) {
    for (const { parse } of kinds) assertThrows(() => parse(text), ConfigError);
  }
});

Deno.test("splitList() takes time in proportion to its text", () => {
  assertQuick(splitList, ["a", " ", ",", "{", "}", "{}", "{a} ", "\u2003"], {
    declared: [ConfigError],
  });
});
