import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../errors.ts";
import { MAX_IF_NESTING } from "./rules.ts";
import { DomainList } from "./match_list.ts";
import { TableList } from "./table.ts";
import { Bench } from "./testing.ts";
import { worked } from "../../tests/support/work.ts";

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
  ["negation of a negation", "regexp", "! !/@example/ x", "a@example", "x"],
  ["negation of a negated condition", "regexp", "if !!/a/\n/b/ x\nendif", "ab", "x"],
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

const skipped: [string, string, string, string][] = [
  ["an open group", "regexp", "/a/ x\n/(/ y", "line 2: unmatched ( in the pattern"],
  ["an open group", "pcre", "/a/ x\n/(/ y", "line 2: error parsing regexp"],
  ["a name after $", "regexp", "/(a)/ $1st", "line 1: bad $ in the result"],
  ["no closing delimiter", "regexp", "/a x", 'line 1: no closing "/" after the pattern'],
  ["no pattern", "regexp", "abc x", "line 1: expected a pattern such as /pattern/"],
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
  ["white space first", "regexp", " /a/ x", "line 1: starts with white space"],
  ["bytes that are not UTF-8", "regexp", "/a/ \ufffd", "line 1: not UTF-8"],
  ["an if that is broken", "regexp", "if /(/\n/a/ x\nendif", "line 1: unmatched ( in the pattern"],
  [
    "a broken if inside another",
    "regexp",
    "if /b/\nif /a/q\n/a/ x\nendif\n/x/ y\nendif",
    'line 2: unknown regular expression flag "q": skipping all up to its ENDIF',
  ],
  ["endif without if", "regexp", "endif", "line 1: ENDIF without IF: skipping this line"],
  ["text after if", "regexp", "if /b/ x\n/x/ y\nendif", "line 1: ignoring extra text"],
  ["text after endif", "regexp", "if /b/\n/x/ y\nendif x", "line 3: ignoring extra text after E"],
];
for (const [why, type, source, text] of skipped) {
  Deno.test(`${type}: with ${why} names the line once, and uses the rest`, () => {
    using bench = new Bench();
    const table = bench.table(type, `${source}\n/./ rest\n`);
    for (const key of ["ab", "c"]) {
      // What stands before a broken line counts.
      assertEquals(table.lookup(key), source.startsWith("/a/ x\n") && key === "ab" ? "x" : "rest");
    }
    bench.later();
    table.lookup("a");
    assertEquals(bench.warnings.length, 1);
    assert(bench.warnings[0]!.startsWith(`${bench.directory}/${type}, ${text}`), bench.warnings[0]);
  });
}

const failing: [string, string, string, string][] = [
  ["look-ahead", "pcre", "/x(?=b)/ x", "error parsing regexp"],
  ["look-behind", "pcre", "/(?<=x)b/ x", "error parsing regexp"],
  ["a back-reference", "pcre", "/(x)\\1/ x", "error parsing regexp"],
  ["a possessive quantifier", "pcre", "/x++/ x", "error parsing regexp"],
  ["a condition with look-ahead", "pcre", "if /x(?=b)/\n/./ x\nendif", "error parsing regexp"],
  ["a back-reference", "regexp", "/(x)\\1/ x", "a back-reference, \\1"],
  ["repetitions that are many", "regexp", `/${".{0,999}".repeat(12)}z/ x`, "repetitions make"],
  ["repetitions that are many", "pcre", `/${".{0,999}".repeat(12)}z/ x`, "repetitions make"],
  ["a repetition that is large", "regexp", "/x{0,32767}b/ x", "more than 1000 repetitions"],
  ["the edge of no certain word", "regexp", "/\\<.x/ x", "\\< is supported only"],
];
for (const [why, type, source, text] of failing) {
  Deno.test(`${type}: with ${why}, which Postfix would understand, fails where no rule before it matches`, () => {
    using bench = new Bench();
    const table = bench.table(type, `/before/ found\n${source}\n/./ rest\n`);
    assertEquals(table.lookup("before"), "found");
    const named = `${bench.directory}/${type}, line 2: ${text}`;
    assertThrows(() => table.lookup("b"), StorageError, named);
    assertEquals(bench.warnings.length, 1);
    assert(bench.warnings[0]!.startsWith(named) && bench.warnings[0]!.endsWith("come here fail"));
  });
}

Deno.test("a rule without a result matches in a list, and fails where a result is needed", () => {
  using bench = new Bench();
  const table = bench.table("regexp", "/a/\n/./ rest");
  assertEquals(table.lookup("a"), "");
  const list = new TableList([table.spec], bench.environment);
  assertThrows(() => list.lookup("a"), StorageError, "empty result for a");
  assertEquals(list.lookup("b"), "rest");
  assert(bench.warnings[0]!.endsWith("line 1: no result after the pattern: it can only be listed"));
});

Deno.test("an if without an endif goes on to the end of the file", () => {
  using bench = new Bench();
  const table = bench.table("regexp", "/b/ x\nif /a/\n/./ inside\n");
  assertEquals([table.lookup("b"), table.lookup("a"), table.lookup("c")], ["x", "inside", null]);
  assert(bench.warnings[0]!.includes("line 2: IF without ENDIF: taking it to end with the file"));
});

Deno.test("ifs that nest too deep hold for nothing", () => {
  using bench = new Bench();
  const deep = MAX_IF_NESTING + 1;
  const source = `${"if /a/\n".repeat(deep)}/a/ x\n${"endif\n".repeat(deep)}/a/ rest\n`;
  assertEquals(bench.table("regexp", source).lookup("a"), "rest");
  assert(bench.warnings[0]!.includes(`line ${deep}: IF nests deeper than`));
});

Deno.test("a table that excepts skips no line: it fails until it is repaired", () => {
  using bench = new Bench();
  const path = bench.write("regexp", "/a/ x\n/(/ y\n");
  const list = new DomainList([`!regexp:${path}`, "static:all"], "exact", bench.environment);
  for (let i = 0; i < 2; i++) {
    assertThrows(
      () => list.matches("b"),
      StorageError,
      `${path}: line 2: unmatched ( in the pattern`,
    );
    bench.later();
  }
  assertEquals(bench.warnings.length, 1);
  // What is excepted twice is included.
  const twice = new DomainList([`!!regexp:${path}`], "exact", bench.environment);
  assertEquals([twice.matches("a"), twice.matches("b")], [true, false]);
  const listed = bench.write("list", `regexp:${path}\n`);
  const inFile = new DomainList([`!${listed}`, "static:all"], "exact", bench.environment);
  assertThrows(() => inFile.matches("b"), StorageError);
  bench.write("regexp", "/a/ repaired\n");
  bench.later();
  assertEquals([list.matches("a"), list.matches("b")], [false, true]);
});

Deno.test("a pattern that makes others backtrack takes no time", () => {
  using bench = new Bench();
  const table = bench.table("pcre", "/^(a+)+$/ x");
  const start = worked();
  assertEquals(table.lookup("a".repeat(5000) + "!"), null);
  // Backtracking would not end within the age of the universe.
  assert(worked() - start < 10_000);
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

Deno.test("a long list of alternatives is no repetition", () => {
  using bench = new Bench();
  const names = Array.from({ length: 3000 }, (_, i) => `host${i}\\.example`);
  for (const type of ["regexp", "pcre"]) {
    const table = bench.table(type, `/@(${names.join("|")})$/ x\n`);
    assertEquals([table.lookup("a@host2999.example"), bench.warnings], ["x", []]);
  }
});
