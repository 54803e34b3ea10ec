import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../errors.ts";
import { MAX_IF_NESTING } from "./rules.ts";
import { Bench } from "./testing.ts";

const answers: [string, string, string, string, string | null][] = [
  ["a rule", "regexp", "/^a/ x", "abc", "x"],
  ["no rule", "regexp", "/^a/ x", "bcd", null],
  ["the first rule of two", "regexp", "/a/ x\n/./ y", "a", "x"],
  ["any case by default", "regexp", "/ABC/ x", "abc", "x"],
  ["case where i is turned over", "regexp", "/ABC/i x", "abc", null],
  ["any case where i is turned over twice", "regexp", "/ABC/ii x", "abc", "x"],
  ["any case by default in pcre", "pcre", "/ABC/ x", "abc", "x"],
  ["a dot for a line feed", "regexp", "/a.b/ x", "a\nb", "x"],
  ["no dot for a line feed under m", "regexp", "/a.b/m x", "a\nb", null],
  ["lines under m", "regexp", "/^b$/m x", "a\nb", "x"],
  ["a dot for a line feed in pcre", "pcre", "/a.b/ x", "a\nb", "x"],
  ["no dot for a line feed where s is turned over", "pcre", "/a.b/s x", "a\nb", null],
  ["layout under x", "pcre", "/a b [ ]c # text/x x", "ab c", "x"],
  ["the start only under A", "pcre", "/b|c/A x", "ab", null],
  ["a short match under U", "pcre", "/(a+)/U <$1>", "aaa", "<a>"],
  ["the longest alternative in regexp", "regexp", "/^(a|ab)/ <$1>", "ab", "<ab>"],
  ["the first alternative in pcre", "pcre", "/^(a|ab)/ <$1>", "ab", "<a>"],
  ["negation", "regexp", "!/@example/ x", "a@other", "x"],
  ["negation that does not hold", "regexp", "!/@example/ x", "a@example", null],
  ["another delimiter", "regexp", "|^/A/|i x", "/A/b", "x"],
  ["the delimiter after a backslash", "regexp", "/a\\/b/ x", "a/b", "x"],
  ["groups", "regexp", "/^(.*)@(.*)$/ $2:${1}:$(2)", "u@d", "d:u:d"],
  ["a dollar", "regexp", "/(a)/ $$1 costs $$", "a", "$1 costs $"],
  ["a group that took no part", "pcre", "/^(a)|(b)$/ <$1$2>", "b", "<b>"],
  ["POSIX classes", "regexp", "/^[[:digit:]]+$/ x", "123", "x"],
  ["spaces in a result", "regexp", "/a/  two  words ", "a", "two  words"],
  ["a result on the next line", "regexp", "/a/\n  x", "a", "x"],
  ["if", "regexp", "if /^a/\n/b/ x\nendif\n/./ y", "ab", "x"],
  ["if that falls through", "regexp", "if /^a/\n/b/ x\nendif\n/./ y", "ac", "y"],
  ["if that does not hold", "regexp", "if /^a/\n/b/ x\nendif\n/./ y", "cb", "y"],
  ["if negated", "regexp", "IF !/^a/\n/b/ x\nENDIF", "cb", "x"],
  ["if in if", "pcre", "if /a/\nif /b/i\n/c/ x\nendif\n/./ y\nendif", "abc", "x"],
  ["a pattern whose delimiter comes right after if", "pcre", "if/a/\n/./ x\nendif", "a", "x"],
];
for (const [why, type, source, key, value] of answers) {
  Deno.test(`${type}: answers ${value} by ${why}`, () => {
    using bench = new Bench();
    assertEquals(bench.table(type, source).lookup(key), value);
  });
}

const broken: [string, string, string, string][] = [
  ["an open group", "regexp", "/a/ x\n/(/ y", "line 2: error parsing regexp"],
  ["no closing delimiter", "regexp", "/a x", 'line 1: no closing "/" after the pattern'],
  ["no pattern", "regexp", "abc x", "line 1: expected a pattern such as /pattern/"],
  ["no result", "regexp", "# c\n/a/", "line 2: no result after the pattern"],
  ["an unknown flag", "regexp", "/a/q x", 'line 1: unknown regular expression flag "q"'],
  [
    "a flag of the prototype",
    "pcre",
    "/a/constructor x",
    "line 1: unknown regular expression flag",
  ],
  ["$1 without a group", "regexp", "/a/ $1", "line 1: $1 in the result, but the pattern has 0"],
  ["$1 with a negation", "regexp", "!/(a)/ $1", "line 1: $1 cannot be used with a negated pattern"],
  ["a lone dollar", "regexp", "/a/ x$", "line 1: bad $ in the result"],
  ["look-ahead", "pcre", "/a(?=b)/ x", "line 1: error parsing regexp"],
  ["a back-reference", "pcre", "/(a)\\1/ x", "line 1: error parsing regexp"],
  ["GNU word edges", "regexp", "/\\<a/ x", "line 1: \\< is not supported"],
  ["basic syntax", "regexp", "/a/x x", "line 1: flag x off"],
  ["if without endif", "regexp", "/b/ x\nif /a/\n", "line 2: IF without ENDIF"],
  ["endif without if", "regexp", "endif", "line 1: ENDIF without IF"],
  ["text after if", "regexp", "if /a/ x\nendif", "line 1: unexpected text after the pattern"],
  [
    "too many ifs",
    "regexp",
    "if /a/\n".repeat(MAX_IF_NESTING + 1),
    `line ${MAX_IF_NESTING + 1}: IF nests deeper than`,
  ],
];
for (const [why, type, source, text] of broken) {
  Deno.test(`${type}: with ${why} fails and names the line`, () => {
    using bench = new Bench();
    const table = bench.table(type, source);
    assertThrows(() => table.lookup("a"), StorageError, `${type}: ${text}`);
    assertEquals(bench.warnings.length, 1);
    bench.later();
    assertThrows(() => table.lookup("a"), StorageError);
    assertEquals(bench.warnings.length, 1);
  });
}

Deno.test("a broken new version fails until it is repaired", () => {
  using bench = new Bench();
  const table = bench.table("regexp", "/a/ x");
  assertEquals(table.lookup("a"), "x");
  bench.write("regexp", "/a/ x\n/(/ y");
  bench.later();
  assertThrows(() => table.lookup("a"), StorageError);
  bench.write("regexp", "/a/ repaired");
  bench.later();
  assertEquals(table.lookup("a"), "repaired");
});

Deno.test("a pattern that makes others backtrack takes no time", () => {
  using bench = new Bench();
  const table = bench.table("pcre", "/^(a+)+$/ x");
  const start = performance.now();
  assertEquals(table.lookup("a".repeat(5000) + "!"), null);
  assert(performance.now() - start < 2000);
});

Deno.test("rules of any text are read or refused with StorageError", () => {
  using bench = new Bench();
  const text = fc.string({ unit: fc.constantFrom(..."/!if end\n$(){}1a\\|[]*#".split("")) });
  fc.assert(fc.property(text, text, (source, key) => {
    try {
      bench.table("pcre", source).lookup(key);
    } catch (error) {
      assert(error instanceof StorageError, String(error));
    }
    bench.later();
  }));
});
