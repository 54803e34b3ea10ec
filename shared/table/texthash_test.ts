import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../errors.ts";
import { MAX_LINE_LENGTH } from "./text_file.ts";
import { openTable } from "./table.ts";
import { Bench } from "./testing.ts";

const SOURCE = `# a comment
user@example.com   other@example.com
  # a comment inside a logical line
\tsecond@example.com,
    third@example.com   

Mixed.Case@Example.COM Value As Written
"joe doe"@example.com joe
__proto__ polluted
constructor	tab
# no value follows
lonely
user@example.com duplicate
hash#inside  a # b
with\\ space one
no\u00a0break two
quote"d sp"ace three
`;

const found: [string, string | null][] = [
  ["user@example.com", "other@example.com\tsecond@example.com,    third@example.com"],
  ["USER@example.com", "other@example.com\tsecond@example.com,    third@example.com"],
  ["mixed.case@example.com", "Value As Written"],
  ['"joe doe"@example.com', "joe"],
  ["__proto__", "polluted"],
  ["constructor", "tab"],
  ["toString", null],
  ["lonely", null],
  ["hash#inside", "a # b"],
  ["with\\ space", "one"],
  ["no\u00a0break", "two"],
  ['quote"d sp"ace', "three"],
  ["", null],
];
for (const [key, value] of found) {
  Deno.test(`texthash: has ${JSON.stringify(value)} under "${key}"`, () => {
    using bench = new Bench();
    assertEquals(bench.table("texthash", SOURCE).lookup(key), value);
  });
}

Deno.test("texthash: warns about lines without a value and keys that come twice", () => {
  using bench = new Bench();
  bench.table("texthash", SOURCE).lookup("x");
  const path = `${bench.directory}/texthash`;
  assertEquals(bench.warnings, [
    `${path}, line 12: expected format: key whitespace value: is "lonely": skipping this line`,
    `${path}, line 13: ignoring duplicate entry: "user@example.com"`,
  ]);
});

Deno.test("hash:, lmdb:, btree: and cdb: read the source text beside the index", () => {
  using bench = new Bench();
  for (const type of ["hash", "lmdb", "btree", "cdb"]) {
    assertEquals(bench.table(type, "a b\n").lookup("a"), "b");
  }
});

Deno.test("a file is read again when it changed, once a second at most", () => {
  using bench = new Bench();
  const table = bench.table("texthash", "a one\n");
  assertEquals(table.lookup("a"), "one");
  bench.write("texthash", "a three\n");
  bench.now += 999;
  assertEquals(table.lookup("a"), "one");
  bench.now += 1;
  assertEquals(table.lookup("a"), "three");
});

Deno.test("a file that was replaced by another of the same size and time is read again", () => {
  using bench = new Bench();
  const table = bench.table("texthash", "a one\n");
  assertEquals(table.lookup("a"), "one");
  const path = `${bench.directory}/texthash`, { mtime } = Deno.statSync(path);
  bench.write("new", "a two\n");
  Deno.utimeSync(`${bench.directory}/new`, mtime!, mtime!);
  Deno.renameSync(`${bench.directory}/new`, path);
  bench.later();
  assertEquals(table.lookup("a"), "two");
});

Deno.test("a missing file fails, is named once, and works when it is there", () => {
  using bench = new Bench();
  const path = `${bench.directory}/later`;
  const table = openTable(`texthash:${path}`, bench.environment);
  for (let i = 0; i < 3; i++) {
    assertThrows(() => table.lookup("a"), StorageError, `${path}: cannot open: no such file`);
    bench.later();
  }
  assertEquals(bench.warnings, [`${path}: cannot open: no such file`]);
  bench.write("later", "a b\n");
  assertEquals(table.lookup("a"), "b");
  Deno.removeSync(path);
  bench.later();
  assertThrows(() => table.lookup("a"), StorageError);
});

Deno.test("lines that are no UTF-8 are skipped with their numbers", () => {
  using bench = new Bench();
  const table = bench.table("texthash", "a b\nd \ufffd\ne f\n");
  assertEquals(["a", "d", "e"].map((key) => table.lookup(key)), ["b", null, "f"]);
  assertEquals(bench.warnings, [
    `${bench.directory}/texthash, line 2: not UTF-8: skipping this line`,
  ]);
});

Deno.test("a line has room for the members of a large list", () => {
  using bench = new Bench();
  const list = Array.from({ length: 6000 }, (_, i) => `user${i}@example.net`);
  const table = bench.table("texthash", `everyone@example.com ${list.join(",\n\t")}\n`);
  assertEquals(table.lookup("everyone@example.com"), list.join(",\t"));
  assertEquals(bench.warnings, []);
});

for (const [what, start] of [["value", "c "], ["key", ""], ["quoted key", '"']] as const) {
  Deno.test(`a table with a ${what} as long as a line may be is read; with a longer one it fails`, () => {
    using bench = new Bench();
    const longest = start + "x".repeat(MAX_LINE_LENGTH - start.length);
    assertEquals(bench.table("texthash", `a b\n${longest}\n`).lookup("a"), "b");
    const table = bench.table("hash", `a b\n${longest}x\n`);
    const why = `${bench.directory}/hash: line 2: longer than 4194304 characters`;
    assertThrows(() => table.lookup("a"), StorageError, why);
    assertEquals(bench.warnings.at(-1), why);
  });
}

Deno.test("a table of which much is broken names the first lines", () => {
  using bench = new Bench();
  const table = bench.table("texthash", `${"lonely\n".repeat(100)}a b\n`);
  assertEquals(table.lookup("a"), "b");
  assertEquals(bench.warnings.length, 11);
  assertEquals(bench.warnings.at(-1), `${bench.directory}/texthash: there are more such lines`);
});

Deno.test("a table in the format of aliases(5) has its names before the colon", () => {
  using bench = new Bench();
  const path = bench.write("aliases", 'Postmaster: root\nroot:\tjoe,\n  jane\n"a b" : x\nbad\n');
  const table = openTable(`hash:${path}`, { ...bench.environment, aliases: true });
  assertEquals(table.lookup("postmaster"), "root");
  assertEquals(table.lookup("root"), "joe,  jane");
  assertEquals(table.lookup("a b"), "x");
  assertEquals(table.lookup("bad"), null);
});

Deno.test("unix:passwd.byname has the system's users", () => {
  using bench = new Bench();
  const table = openTable("unix:passwd.byname", bench.environment);
  assertEquals((table.lookup("root") as string).startsWith("root:"), true);
  assertEquals(table.lookup("no-such-user-here"), null);
});

Deno.test("a source of any text is read or refused, never anything else", () => {
  using bench = new Bench();
  const text = fc.string({ unit: fc.constantFrom(...'ab "\\\t\n#:\0é'.split("")), maxLength: 80 });
  fc.assert(fc.property(text, text, (source, key) => {
    const value = bench.table("texthash", source).lookup(key);
    assertEquals(value === null || typeof value === "string", true);
    bench.later();
  }));
});

Deno.test("every kind of text table has exactly the keys that were written, also those that objects have", () => {
  using bench = new Bench();
  const inherited = ["__proto__", "constructor", "hasownproperty", "tostring", "valueof"];
  const key = fc.oneof(fc.constantFrom(...inherited), fc.stringMatching(/^[a-z0-9@._-]{1,12}$/));
  const value = fc.oneof(
    fc.constantFrom(...inherited),
    fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/),
  );
  fc.assert(
    fc.property(
      fc.constantFrom("texthash", "hash", "lmdb"),
      fc.dictionary(key, value),
      (type, all) => {
        const text = Object.entries(all).map(([key, value]) => `${key} ${value}\n`).join("");
        const table = bench.table(type, text);
        for (const [key, value] of Object.entries(all)) assertEquals(table.lookup(key), value);
        for (const key of inherited) {
          if (!Object.hasOwn(all, key)) assertEquals(table.lookup(key), null);
        }
        bench.later();
      },
    ),
  );
});
