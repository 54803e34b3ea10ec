import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { anyCharacter } from "../../tests/support/hostile.ts";
import { bytesOf, posixPattern, textOf } from "./posix_pattern.ts";
import { Unsupported } from "./rules.ts";
import { Bench } from "./testing.ts";

// What Postfix 3.7 with glibc answers: pattern and flags, key, and the text of the groups or null.
const answers: [string, string, string, string[] | null][] = [
  ["a backslash in brackets is a character", "/^([\\w.]+)$/", "\\w", ["\\w"]],
  ["and does not make a class there", "/^[\\w.]+$/", "abc", null],
  ["a bracket first in brackets is a character", "/^[]a]+$/", "]a", []],
  ["a bracket after a backslash closes", "/^[\\]]$/", "\\]", []],
  ["a hyphen last is a character", "/^[a-]+$/", "a-", []],
  ["classes", "/^[[:alpha:][:digit:]_]+$/", "aZ9_", []],
  ["classes of ASCII alone", "/[[:alpha:]]/", "ä", null],
  ["a class that is negated", "/^[^[:space:]]+$/", "a\vb", null],
  ["small letters of any case", "/^[[:lower:]]+$/", "aB", []],
  ["small letters where case counts", "/^[[:lower:]]+$/i", "aB", null],
  ["collation characters", "/^[[.a.]-[.c.]]+[[=d=]]$/", "abcd", []],
  ["the ends of a range in capitals", "/^[A-z]$/", "_", null],
  ["the ends of a range as they are where case counts", "/^[A-z]$/i", "_", []],
  ["no line feed for brackets that are negated under m", "/a[^b]c/m", "a\nc", null],
  ["a line feed for them otherwise", "/a[^b]c/", "a\nc", []],
  ["lines under m", "/^b$/m", "a\nb\nc", []],
  ["a repetition without a least", "/^a{,2}b$/", "aab", []],
  ["a repetition of a repetition", "/^(a{2}{3}b**c+?)$/", "aaaaaabbccc", ["aaaaaabbccc"]],
  ["a star with a question mark, which is not lazy", "/(.*?)(.*)/", "ab", ["ab", ""]],
  ["a long repetition", "/^.{1,1000}$/", "a".repeat(1000), []],
  ["a long repetition that is not long enough", "/^.{1,1000}$/", "a".repeat(1001), null],
  ["a repetition of at least many", "/^.{1000,}$/", "a".repeat(1501), []],
  ["a parenthesis that closes nothing", "/^a)$/", "a)", []],
  ["letters after a backslash that mean something", "/^\\w\\W\\s\\S$/", "a- b", []],
  ["both ends of the text", "/\\`a\\'/", "a", []],
  ["the start of a word", "/\\<foo/", "a foo", []],
  ["no start of a word", "/\\<foo/", "afoo", null],
  ["the edges of alternatives", "/\\<(foo|[[:digit:]]+)\\>/", "x 12.", ["12"]],
  ["the longest of all", "/(wee|week)(knights|night)/", "weeknights", ["wee", "knights"]],
  ["the longest of all, from the first alternative", "/(foo|foobar)(bar)?/", "foobar", [
    "foo",
    "bar",
  ]],
  ["an empty alternative", "/^(|a)b$/", "b", [""]],
  ["bytes, not characters", "/^..$/", "ä", []],
  ["bytes in groups, shown as text", "/x(.*)y/", "xäöy", ["äö"]],
  ["capitals of ASCII alone", "/^ä$/", "Ä", null],
  ["no other letter than ASCII's for k", "/k/", "\u212a", null],
  ["basic syntax", "/^\\(a\\{2\\}\\)(b)*+$/x", "aa(b)))+", ["aa"]],
  ["alternatives of the basic syntax", "/^\\(a\\|b\\+\\)?$/x", "bb?", ["bb"]],
  ["a star that begins, in basic syntax", "/^*a\\(*b\\)/x", "*a*b", ["*b"]],
  ["anchors that are characters in basic syntax", "/a^b$c/x", "a^b$c", []],
  ["anchors of groups in basic syntax", "/\\(^a\\)\\(b$\\)/x", "ab", ["a", "b"]],
];
for (const [why, pattern, key, groups] of answers) {
  Deno.test(`regexp: ${JSON.stringify(key.slice(0, 20))} and ${pattern}: ${why}`, () => {
    using bench = new Bench();
    const numbers = (groups ?? []).map((_, i) => `<$${i + 1}>`).join("");
    const value = bench.table("regexp", `${pattern} x${numbers}\n`).lookup(key);
    assertEquals(bench.warnings, []);
    assertEquals(value, groups && `x${groups.map((group) => `<${group}>`).join("")}`);
  });
}

for (
  const [pattern, key, notices] of [
    ["^\\d+\\.\\d$", "dd.d", ["\\d is the letter d in a regexp table: write [0-9], or use pcre"]],
    ["^\\D$", "D", ["\\D is the letter D in a regexp table: write [^0-9], or use pcre"]],
    [
      "^\\Qa.b\\E\\t$",
      "QaxbEt",
      ["Q", "E", "t"].map((letter) =>
        `\\${letter} is the letter ${letter} in a regexp table: it may need pcre`
      ),
    ],
    ["^\\w\\W\\s\\S\\ba\\Bb[\\d]$", "a- .abd", []],
  ] as const
) {
  Deno.test(`regexp: ${pattern} says which letters mean only themselves`, () => {
    using bench = new Bench();
    const table = bench.table("regexp", `/${pattern}/ x\n`);
    assertEquals(table.lookup(key), "x");
    assertEquals(
      bench.warnings,
      notices.map((text) => `${bench.directory}/regexp, line 1: ${text}`),
    );
  });
}

const BASIC = { extended: false, ignoreCase: true, newline: false };
const EXTENDED = { ...BASIC, extended: true };

for (
  const [pattern, what] of [
    ["(a", "unmatched ("],
    ["[a", "unmatched ["],
    ["[[:alpha:]", "unmatched ["],
    ["[[:foo:]]", "unknown character class"],
    ["[[.hyphen.]]", "unknown collation character"],
    ["[z-a]", "bad range"],
    ["[a-c-e]", "bad range"],
    ["[a[:alpha:]-z]", "bad range"],
    ["[a\\-z]", "bad range"],
    ["*a", "nothing before *"],
    ["^*a", "nothing before *"],
    ["a|+b", "nothing before +"],
    ["({1})", "nothing before {"],
    ["a{2", "bad repetition"],
    ["a{b}", "bad repetition"],
    ["a{}", "bad repetition"],
    ["a{2,1}", "bad repetition"],
    ["a{32768}", "bad repetition"],
    ["(a)\\2", "\\2 names no group"],
    ["(a\\1)", "\\1 names no group"],
    ["a\\", "ends in a backslash"],
  ] as const
) {
  Deno.test(`posixPattern() refuses ${pattern}, as regcomp() does`, () => {
    const error = assertThrows(() => posixPattern(pattern, EXTENDED), Error, what);
    assert(!(error instanceof Unsupported));
  });
}

Deno.test("posixPattern() refuses an unmatched parenthesis of the basic syntax", () => {
  assertThrows(() => posixPattern("a\\)", BASIC), Error, "unmatched )");
  assertThrows(() => posixPattern("a\\(b", BASIC), Error, "unmatched (");
  assertThrows(() => posixPattern("a\\{1}", BASIC), Error, "bad repetition");
});

for (
  const pattern of [
    "(a)\\1",
    "\\<.*",
    "a*\\>",
    "\\<",
    "a{1001}",
    "a{9,32767}",
    "a{2000,}",
    "(".repeat(300),
  ]
) {
  Deno.test(`posixPattern() says that ${pattern.slice(0, 9)} is not supported`, () => {
    assertThrows(() => posixPattern(pattern, EXTENDED), Unsupported);
  });
}

Deno.test("textOf() gives back what bytesOf() took apart", () => {
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => {
    assertMatch(bytesOf(text), /^[\0-\xff]*$/);
    assertEquals(textOf(bytesOf(text)), text);
  }));
});

Deno.test("a pattern of any text is used, skipped or not supported, and never more", () => {
  using bench = new Bench();
  const unit = fc.constantFrom(..."ab-]^[:=.alph{}()|*+?$\\<>wz12,ä".split(""));
  const flags = fc.constantFrom("", "i", "m", "x");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), flags, fc.string(), (text, flags, key) => {
      const table = bench.table("regexp", `#${text}#${flags} x\n`);
      try {
        assert(["x", null].includes(table.lookup(key) as string | null));
      } catch (error) {
        assertMatch(String(error), /not supported|times|error parsing regexp/);
      }
      bench.later();
    }),
    { numRuns: 500 },
  );
});
