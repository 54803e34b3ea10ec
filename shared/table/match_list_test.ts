import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConfigError, StorageError } from "../errors.ts";
import { domainKeys, DomainList, type Parents } from "./match_list.ts";
import { registerTable } from "./table.ts";
import { Bench } from "./testing.ts";

const domains: [string, Parents, string, boolean][] = [
  ["example.com", "exact", "example.com", true],
  ["Example.COM", "exact", "eXample.com", true],
  ["example.com", "exact", "sub.example.com", false],
  ["example.com", "subdomains", "sub.example.com", true],
  ["example.com", "subdomains", "a.b.example.com", true],
  ["example.com", "subdomains", "badexample.com", false],
  ["example.com", "dot", "sub.example.com", false],
  [".example.com", "dot", "sub.example.com", true],
  [".example.com", "dot", "example.com", false],
  ["!bad.example.com example.com", "subdomains", "bad.example.com", false],
  ["!bad.example.com example.com", "subdomains", "good.example.com", true],
  ["example.com !example.com", "exact", "example.com", true],
  ["!!example.com", "exact", "example.com", true],
  ["inline:{example.com=x}", "exact", "EXAMPLE.com", true],
  ["inline:{example.com=x}", "exact", "sub.example.com", false],
  ["inline:{example.com=x}", "subdomains", "sub.example.com", true],
  ["inline:{.example.com=x}", "dot", "sub.example.com", true],
  ["!inline:{a.example=x} static:all", "exact", "a.example", false],
  ["!inline:{a.example=x} static:all", "exact", "b.example", true],
  ["[192.0.2.1]", "exact", "[192.0.2.1]", true],
  ["", "exact", "example.com", false],
  ["__proto__", "exact", "constructor", false],
];
for (const [items, parents, domain, expected] of domains) {
  Deno.test(`"${items}" (${parents}) ${expected ? "has" : "has not"} ${domain}`, () => {
    using bench = new Bench();
    const list = new DomainList(split(items), parents, bench.environment);
    assertEquals(list.matches(domain), expected);
  });
}

Deno.test("a list takes the entries of a file in place of its name, and reads it again", () => {
  using bench = new Bench();
  const path = bench.write("list", "# ours\nexample.com, !never.example\nother.example\n");
  const list = new DomainList([path, "never.example"], "exact", bench.environment);
  assertEquals(list.matches("other.example"), true);
  assertEquals(list.matches("never.example"), false);
  const negated = new DomainList([`!${path}`, "static:all"], "exact", bench.environment);
  assertEquals(negated.matches("other.example"), false);
  assertEquals(negated.matches("never.example"), true);
  assertEquals(negated.matches("any.example"), true);
  bench.write("list", "new.example\n");
  bench.later();
  assertEquals(list.matches("other.example"), false);
  assertEquals(list.matches("never.example"), true);
});

Deno.test("a list fails when a file is not there, or when files include each other", () => {
  using bench = new Bench();
  const missing = new DomainList([`${bench.directory}/none`], "exact", bench.environment);
  assertThrows(() => missing.matches("a"), StorageError, "no such file");
  const path = bench.write("loop", `${bench.directory}/loop\n`);
  const loop = new DomainList([path], "exact", bench.environment);
  assertThrows(() => loop.matches("a"), StorageError, "included deeper than 10");
});

Deno.test("a list fails when a table fails, and not when an entry before it matched", () => {
  using bench = new Bench();
  const list = new DomainList(["a.example", "fail:x", "b.example"], "exact", bench.environment);
  assertEquals(list.matches("a.example"), true);
  assertThrows(() => list.matches("b.example"), StorageError);
});

Deno.test("a list refuses an entry that excepts nothing", () => {
  assertThrows(() => new DomainList(["!"], "exact"), ConfigError, '"!" names nothing');
});

Deno.test("domainKeys() goes up to the parents", () => {
  assertEquals(domainKeys("a.b.c", "exact"), ["a.b.c"]);
  assertEquals(domainKeys("a.b.c", "subdomains"), ["a.b.c", "b.c", "c"]);
  assertEquals(domainKeys("a.b.c", "dot"), ["a.b.c", ".b.c", ".c"]);
  assertEquals(domainKeys("[192.0.2.1]", "dot"), ["[192.0.2.1]"]);
});

function split(items: string): string[] {
  return items.split(" ").filter(Boolean);
}

Deno.test("a list waits for a table that answers later", async () => {
  using bench = new Bench();
  registerTable(["afterwards"], (name, _environment, spec) => ({
    spec,
    isPattern: false,
    async lookup(key) {
      await Promise.resolve();
      if (name === "fail") throw new StorageError("afterwards: fails");
      return key === name ? "x" : null;
    },
  }));
  const list = new DomainList(["afterwards:example", "last"], "subdomains", bench.environment);
  assertEquals(await list.matches("a.b.example"), true);
  assertEquals(await list.matches("a.b.other"), false);
  assertEquals(await list.matches("last"), true);
  const failing = new DomainList(["afterwards:fail", "last"], "exact", bench.environment);
  await assertRejects(async () => await failing.matches("fail"), StorageError);
});
