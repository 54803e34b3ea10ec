import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../errors.ts";
import { Bench } from "./testing.ts";

const SOURCE = `
192.0.2.1        one address
192.0.2.0/24     its network
!10.0.0.0/8      not ten
if 10.1.0.0/16
10.1.2.0/23      deep
endif
10.0.0.0/9       half of ten
2001:db8::/32    six
[::1]            loopback
`;

const answers: [string, string, string | null][] = [
  ["192.0.2.1", SOURCE, "one address"],
  ["192.0.2.2", SOURCE, "its network"],
  ["10.1.3.255", SOURCE, "deep"],
  ["10.1.4.0", SOURCE, "half of ten"],
  ["10.200.0.1", SOURCE, null],
  ["11.0.0.1", SOURCE, "not ten"],
  ["2001:db8::1", "2001:db8::/32 six", "six"],
  ["2001:DB8:0::1", "[2001:db8::]/32 six", "six"],
  ["2001:db9::1", "2001:db8::/32 six", null],
  ["::1", "[::1] loopback", "loopback"],
  ["192.0.2.1", "0.0.0.0/0 any", "any"],
  ["::1", "0.0.0.0/0 any", null],
  ["::ffff:192.0.2.1", "192.0.2.0/24 x", null],
  ["example.com", "0.0.0.0/0 any", null],
  ["0300.0.2.1", "0.0.0.0/0 any", null],
  ["3221225985", "0.0.0.0/0 any", null],
  ["fe80::1%eth0", "::/0 any", null],
  ["", "0.0.0.0/0 any", null],
  ["::1", "!192.0.2.0/24 x", null],
  ["192.0.2.1", "if !::/0\n192.0.2.1 x\nendif", null],
  ["192.0.2.1", "! !192.0.2.0/24 x", "x"],
  ["192.0.2.1", "[192.0.2.0/24] x", "x"],
  ["2001:db8::1", "[2001:db8::/032] x", "x"],
  ["::102:304", "::1.2.3.4 x", "x"],
  ["::1.2.3.4", "::/96 x", "x"],
  ["::ffff:1.2.3.4", "::/96 x", null],
];
for (const [key, source, value] of answers) {
  Deno.test(`cidr: answers ${value} for ${key} from ${source.length} characters`, () => {
    using bench = new Bench();
    assertEquals(bench.table("cidr", source).lookup(key), value);
  });
}

const broken: [string, string, string][] = [
  ["host bits", "10.0.0.1/8 x", 'non-null host address bits in "10.0.0.1/8", perhaps "10.0.0.0/8"'],
  ["a mask that is too long", "10.0.0.0/33 x", 'bad net/mask pattern: "10.0.0.0/33"'],
  ["a name", "example.com x", "bad net/mask pattern"],
  ["no result", "10.0.0.0/8", "no result for 10.0.0.0/8"],
  [
    "text after if",
    "if 10.0.0.0/8 x\n::1 inside\nendif",
    'unexpected text after the network of IF: "x": skipping all up to its ENDIF',
  ],
  ["an if of a name", "if name\n::1 inside\nendif", "bad net/mask pattern"],
];
for (const [why, source, text] of broken) {
  Deno.test(`cidr: with ${why} names the line and uses the rest`, () => {
    using bench = new Bench();
    assertEquals(bench.table("cidr", `${source}\n::1 rest\n`).lookup("::1"), "rest");
    const [warning, ...more] = bench.warnings;
    assertEquals(warning?.startsWith(`${bench.directory}/cidr, line 1: ${text}`), true, warning);
    assertEquals(more, []);
  });
}

Deno.test("networks of any text are read or refused with StorageError, and any key is looked up", () => {
  using bench = new Bench();
  const text = fc.string({ unit: fc.constantFrom(..."0129./:[]!af if endif\n\t#".split("")) });
  const key = fc.oneof(text, fc.ipV4(), fc.ipV6(), fc.constantFrom("__proto__", "constructor"));
  fc.assert(fc.property(text, key, (source, key) => {
    try {
      const value = bench.table("cidr", source).lookup(key);
      assertEquals(value === null || typeof value === "string", true);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
    }
    bench.later();
  }));
});

Deno.test("an address is in the network of its own, and in no other of that length", () => {
  using bench = new Bench();
  let runs = 0;
  fc.assert(fc.property(fc.ipV4(), fc.ipV4(), (mine, other) => {
    // Another length each time: a file is known by its length and its time in milliseconds.
    const table = bench.table("cidr", `${mine}/32 mine\n${"#".repeat(++runs * 20)}\n`);
    assertEquals(table.lookup(mine), "mine");
    if (other !== mine) assertEquals(table.lookup(other), null);
    bench.later();
  }));
});
