import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../errors.ts";
import {
  bool,
  choice,
  int,
  list,
  maps,
  parseAll,
  perTransport,
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
  ["time() is in seconds without a unit", time("x", "1", { doc }).parse("90"), 90],
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
