/** Tables and lists whose text, specification or key is odd: they answer, or fail with StorageError, in time. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { logicalLines } from "../config/logical_lines.ts";
import { ConfigError, StorageError } from "../errors.ts";
import { assertQuick, attempt, near, PROTOTYPE_NAMES } from "../../tests/support/hostile.ts";
import { specProblem, SYSTEM_FILES, tableFiles, tablesOf, typeAndName } from "./spec.ts";
import { domainKeys, DomainList } from "./match_list.ts";
import { resultsOf } from "./results.ts";
import { openTable } from "./table.ts";
import { Bench } from "./testing.ts";

/** A line of a file that is longer than most. */
const longLine = (text: string) => text.slice(0, 99_900);

const FILES: [type: string, parts: string[], around: string[]][] = [
  ["texthash", ["a", '"', '\\"', " ", "a ", "\\", "\t", "\r", "a b\n", "\n "], ["", '"', "a "]],
  ["cidr", ["1", ":", "/", " ", "!", "10.0.0.1 x\n", "if ", "\r", "["], ["", "10.0.0.0/8 ", "!"]],
  ["regexp", ["a", "\\", "(", "[", "$", "$1", "{1}", "|", " ", "\r", "/a/ x\n", ".*", "(a+)+"], [
    "/",
    "/a/ ",
    "if /",
  ]],
  ["pcre", ["[", "(", "\\", "#", " ", "[a]", "[\\", "(?:", "|"], ["/", "/a/x ", "if /"]],
];
for (const [type, parts, around] of FILES) {
  Deno.test(`${type}: has an answer or StorageError for any text, in time in proportion to it`, () => {
    using bench = new Bench();
    const ask = (text: string) => bench.table(type, text).lookup("10.0.0.1");
    assertQuick((text) => ask(longLine(text)), parts, { around, declared: [StorageError] });
    const reader = ({ text, key }: { text: string; key: string }) => {
      const found = attempt(() => bench.table(type, text).lookup(key), StorageError);
      assert(found === undefined || found === null || typeof found === "string");
    };
    const results = (text: string) => resultsOf(`${type}:/x`, () => text);
    assertQuick((text) => results(longLine(text)), parts, { around });
    const text = near(...parts, ...around, "\n");
    fc.assert(fc.property(text, (text) => {
      const lines = logicalLines(text);
      for (const each of results(text)) assert(lines.some(({ text }) => text.endsWith(each)));
    }));
    fc.assert(fc.property(fc.record({ text, key: near(...parts) }), reader), { numRuns: 60 });
  });
}

Deno.test("a pcre pattern under x, and its key, take time in proportion to their length", () => {
  using bench = new Bench();
  for (const part of ["[", "[a", " ", "#", "\\", "[\\", "a"]) {
    assertQuick(
      (text) => bench.table("pcre", `/${longLine(text).slice(0, 90_000)}/x y`).lookup("a"),
      [part],
      {
        declared: [StorageError],
      },
    );
  }
  const nested = bench.table("pcre", "/^(a+)+$/ x\n/^(a|aa)*c/ y");
  assertQuick((key) => nested.lookup(key), ["a", "aa", "c"]);
});

const SPEC_PARTS = [
  ...[
    "inline:",
    "{",
    "}",
    "a=b",
    "=",
    ",",
    " ",
    "static:",
    "unionmap:",
    "pipemap:",
    "proxy:",
    "fail:x",
  ],
  ...["unix:passwd.byname", "regexp:", "/x", "!", ":", "a"],
];

Deno.test("openTable() opens any specification that specProblem() has nothing against, or says what is wrong", () => {
  const open = (spec: string, key: string) => {
    const problem = specProblem(spec);
    assert(problem === undefined || problem.length > 0);
    const table = attempt(() => openTable(spec, { clock: () => 0 }), StorageError, ConfigError);
    if (table && spec.startsWith("inline:")) attempt(() => table.lookup(key), StorageError);
    for (const file of tableFiles(spec)) {
      assert(
        file.startsWith("/") && (spec.includes(file) || [...SYSTEM_FILES.values()].includes(file)),
      );
    }
    for (const each of tablesOf(spec)) {
      assert(typeAndName(each).length === 2 || each.startsWith("/"));
    }
  };
  fc.assert(fc.property(near(...SPEC_PARTS), near("a", "b"), open), { numRuns: 500 });
});

Deno.test("specifications are read in time in proportion to their text", () => {
  const around = ["", "inline:{", "unionmap:{", "unionmap:{unionmap:{"];
  const run = (text: string) => [specProblem(text), tableFiles(text), tablesOf(text)];
  assertQuick(run, [...SPEC_PARTS, "unionmap:{static:x} "], { around });
  assertQuick((text) => openTable(text, { clock: () => 0 }), ["{", "}", "a=b ", "{a=b}", "="], {
    around,
    declared: [StorageError, ConfigError],
  });
});

Deno.test("inline: gives back what is written, whatever the keys", () => {
  const key = fc.oneof(
    fc.stringMatching(/^[a-z0-9@.]{1,10}$/),
    fc.constantFrom(...PROTOTYPE_NAMES),
  );
  const value = fc.stringMatching(/^[a-z0-9@:.]([a-z =,]{0,8}[a-z0-9])?$/);
  fc.assert(fc.property(fc.array(fc.tuple(key, value), { minLength: 1 }), (entries) => {
    const spec = `inline:{ ${entries.map(([key, value]) => `{ ${key} = ${value} }`).join(", ")} }`;
    const table = openTable(spec, { clock: () => 0 });
    const expected = new Map(entries.map(([key, value]) => [key.toLowerCase(), value]));
    for (const [key, value] of expected) assertEquals(table.lookup(key), value);
    if (!expected.has("valueof")) assertEquals(table.lookup("valueOf"), null);
  }));
});

Deno.test("DomainList takes any items, and matches a domain and its parents alone", () => {
  const item = near("a.test", ".a.test", "!", "b", "[10.0.0.1]", "inline:{a.test=x}", "::1").map((
    text,
  ) => text.replace(/[\s\\/]/g, ""));
  fc.assert(
    fc.property(fc.array(item, { maxLength: 4 }), near("a.test", "b.", "x."), (items, domain) => {
      const list = attempt(
        () => new DomainList(items, "subdomains", { clock: () => 0 }),
        ConfigError,
        StorageError,
      );
      if (list) attempt(() => assert(typeof list.matches(domain) === "boolean"), StorageError);
    }),
  );
  const list = new DomainList(["key.test"], "subdomains", { clock: () => 0 });
  assertEquals([list.matches("a.key.test"), list.matches("akey.test"), list.matches("key.test.")], [
    true,
    false,
    false,
  ]);
});

Deno.test("domainKeys() names a domain and what it is below", () => {
  const labels = fc.array(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(labels, (labels) => {
    const expected = labels.map((_, at) => labels.slice(at).join("."));
    assertEquals(domainKeys(labels.join("."), "subdomains"), expected);
  }));
});
