import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { StorageError } from "../errors.ts";
import { COMBINED_TYPES, INDEXED_TYPES, RULE_TYPES, tableFiles } from "./spec.ts";
import { openTable, registerTable, TableList } from "./table.ts";
import { Bench } from "./testing.ts";

/** A table that answers later, as tables on a network do. */
registerTable(["slow"], (name, _environment, spec) => ({
  spec,
  isPattern: false,
  async lookup(key) {
    await Promise.resolve();
    if (name === "fail") throw new StorageError("slow: fails");
    return key === "slow" ? `slow:${name}` : null;
  },
}));

const answers: [string, string, string | null][] = [
  ["inline:{a=b}", "a", "b"],
  ["inline:{ a=b, { c = d e } }", "c", "d e"],
  ["inline:{ a=b, { c = d e } }", "A", "b"],
  ["inline:{ a=b=c }", "a", "b=c"],
  ["inline:{ __proto__=x }", "__proto__", "x"],
  ["inline:{ a=b }", "toString", null],
  ['inline:{ {"a b"@c = d} }', '"a b"@c', "d"],
  ["inline:{\u00a0a=b\v,c=d}", "\u00a0a", "b"],
  ["static:ok", "anything", "ok"],
  ["static:{ text with spaces }", "anything", "text with spaces"],
  ["unionmap:{static:one,inline:{a=two}}", "a", "one,two"],
  ["unionmap:{static:one,inline:{a=two}}", "b", "one"],
  ["unionmap:{inline:{a=two}}", "b", null],
  ["pipemap:{inline:{a=b},inline:{b=c}}", "a", "c"],
  ["pipemap:{inline:{a=b},inline:{x=c}}", "a", null],
  ["proxy:inline:{a=b}", "a", "b"],
];
for (const [spec, key, value] of answers) {
  Deno.test(`${spec} answers ${value} for ${key}`, () => {
    using bench = new Bench();
    assertEquals(openTable(spec, bench.environment).lookup(key), value);
  });
}

Deno.test("fail: fails, and so does what is made of it", () => {
  using bench = new Bench();
  for (const spec of ["fail:x", "unionmap:{static:a,fail:x}", "pipemap:{static:a,fail:x}"]) {
    const table = openTable(spec, bench.environment);
    assertThrows(() => table.lookup("a"), StorageError, "fail:x: always fails");
  }
});

const wrong: [string, string][] = [
  ["ldap:/etc/ldap.cf", "ldap:/etc/ldap.cf: unsupported table type: ldap"],
  ["/etc/file", "/etc/file: a table must be type:name"],
  ["inline:a=b", "inline:a=b: must be inline:{ key=value, ... }"],
  ["inline:{ a }", 'inline:{ a }: must be key=value: is "a"'],
  ["inline:{ {a=b}{c=d} }", 'must end with the } of its {: is "{a=b}{c=d}"'],
  ["inline:{ }", "inline:{ }: has no key=value"],
  ["static:{x", 'must end with the } of its {: is "{x"'],
  ["static:{x} y", 'must end with the } of its {: is "{x} y"'],
  ["unix:shadow", "unix:shadow: must be one of passwd.byname, group.byname"],
  ["unionmap:{}", "unionmap:{}: names no table"],
  ["unionmap:{nis:x}", "nis:x: unsupported table type: nis"],
  ["proxy:".repeat(11) + "static:x", "proxy:static:x: tables nest deeper than 10"],
];
for (const [spec, text] of wrong) {
  Deno.test(`${spec.slice(0, 30)} is reported, and its lookups fail`, () => {
    using bench = new Bench();
    const table = openTable(spec, bench.environment);
    assertEquals(bench.warnings, [text]);
    assertThrows(() => table.lookup("a"), StorageError, text);
  });
}

Deno.test("TableList asks in order: the first hit wins and later tables are not asked", () => {
  using bench = new Bench();
  const list = new TableList(["inline:{a=1}", "inline:{a=2, b=3}", "fail:x"], bench.environment);
  assertEquals(list.lookup("a"), "1");
  assertEquals(list.lookup("b"), "3");
  assertThrows(() => list.lookup("c"), StorageError);
});

Deno.test("TableList stops at an error, although a later table has the key", () => {
  using bench = new Bench();
  const list = new TableList(["fail:x", "static:yes"], bench.environment);
  assertThrows(() => list.lookup("a"), StorageError);
});

Deno.test("TableList waits only for tables that answer later", async () => {
  using bench = new Bench();
  const list = new TableList(["inline:{a=1}", "slow:s", "inline:{b=2}"], bench.environment);
  assertEquals(list.lookup("a"), "1");
  assertEquals(await list.lookup("slow"), "slow:s");
  assertEquals(await list.lookup("b"), "2");
  const failing = new TableList(["slow:fail", "static:x"], bench.environment);
  await assertRejects(async () => await failing.lookup("a"), StorageError, "slow: fails");
  const combined = ["unionmap:{slow:s,static:x}", "pipemap:{static:slow,slow:s}"];
  assertEquals(await new TableList([combined[0]!], bench.environment).lookup("slow"), "slow:s,x");
  assertEquals(await new TableList([combined[1]!], bench.environment).lookup("a"), "slow:s");
});

Deno.test("TableList passes over pattern tables for a part of a key", () => {
  using bench = new Bench();
  const path = bench.write("all", "/./ pattern\n");
  const list = new TableList([`regexp:${path}`, "inline:{a=plain}"], bench.environment);
  assertEquals(list.lookup("a"), "pattern");
  assertEquals(list.lookup("a", true), "plain");
});

Deno.test("two parameters that name the same table share it", () => {
  using bench = new Bench();
  const first = openTable("static:x", bench.environment);
  assert(Object.is(openTable("static:x", bench.environment), first));
});

const files: [string, string[]][] = [
  ["", []],
  ["texthash:/a/b", ["/a/b"]],
  ["hash:/a, lmdb:/b regexp:/c,pcre:/d cidr:/e", ["/a", "/b", "/c", "/d", "/e"]],
  ["inline:{ a=hash:/x }, static:{hash:/y}, fail:z", []],
  ["unionmap:{hash:/a, pipemap:{regexp:/b,inline:{x=y}}}", ["/a", "/b"]],
  ["proxy:unix:passwd.byname proxy:hash:/a", ["/etc/passwd", "/a"]],
  ["check_client_access hash:/a, reject", ["/a"]],
  ["!/etc/networks, [::1]/128 fe80::/10 127.0.0.0/8", ["/etc/networks"]],
  ["hash:/a hash:/a", ["/a"]],
  ["hash:/a } {", []],
  ["lmtp:unix:/run/lmtp, smtp:[mx.example]:25", []],
];
for (const [text, expected] of files) {
  Deno.test(`tableFiles() of "${text}" are ${expected.length}`, () => {
    assertEquals(tableFiles(text), expected);
  });
}

Deno.test("tableFiles() gives up on tables that nest without end", () => {
  assertEquals(tableFiles(`${"proxy:".repeat(1000)}hash:/a`), []);
});

Deno.test("each type with a file is registered", () => {
  using bench = new Bench();
  for (const type of [...INDEXED_TYPES, ...RULE_TYPES]) {
    openTable(`${type}:/nowhere`, bench.environment);
  }
  for (const type of COMBINED_TYPES) openTable(`${type}:{static:x}`, bench.environment);
  assertEquals(bench.warnings, []);
});
