import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { assertQuick } from "../../tests/support/hostile.ts";
import { findAddresses, rewriteAddresses } from "./header_address.ts";

const LIMIT = 10_240;

function addresses(value: string, limit = LIMIT): string[] {
  return findAddresses(value, limit).map(({ address }) => address);
}

for (
  const [why, value, expected] of [
    ["plain addresses", "a@x.org, b@y.org", ["a@x.org", "b@y.org"]],
    ["names before angle brackets", "Joe Q. Public <joe@x.org>, <b@y>", ["joe@x.org", "b@y"]],
    ["quoted names with commas", '"Public, Joe" <joe@x.org>', ["joe@x.org"]],
    ["quoted local parts", '"a b"@x.org, <"<"@y>', ["a b@x.org", "<@y"]],
    ["groups", "Team: a@x, b@y;, c@z, none:;", ["a@x", "b@y", "c@z"]],
    ["comments anywhere", "(x, y@z) a (b) @ (c@d) x.org (e)", ["a@x.org"]],
    ["nested comments", "a@x (one (two) three, b@y), c@z", ["a@x", "c@z"]],
    ["routes", "<@one,@two:a@x.org>", ["a@x.org"]],
    ["domain literals", "a@[192.0.2.1], b@[IPv6:2001:db8::1]", [
      "a@[192.0.2.1]",
      "b@[IPv6:2001:db8::1]",
    ]],
    ["addresses without a domain", "root, Joe <joe>", ["root", "joe"]],
    ["UUCP and percent forms", "a!b!c, a%b@c", ["a!b!c", "a%b@c"]],
    ["backslashes in words", "a\\,b@x", ["a,b@x"]],
    ["folded lists", "a@x,\r\n\tb@y,\r\n <c@z>", ["a@x", "b@y", "c@z"]],
  ] as const
) {
  Deno.test(`findAddresses() reads ${why}`, () => assertEquals(addresses(value), [...expected]));
}

for (
  const [why, value] of [
    ["a phrase without an address", "Joe Public"],
    ["an encoded word", "=?utf-8?q?J=C3=B6?="],
    ["an empty path", "<>"],
    ["an angle bracket that never closes", "Joe <joe@x"],
    ["a quote that never closes", '"joe@x'],
    ["a comment that never closes", "(joe@x"],
    ["two @", "a@b@c"],
    ["an @ without a domain", "a@"],
    ["an @ without a local part", "@a"],
    ["a route without an address", "<@a@b>"],
    ["nothing", ""],
  ] as const
) {
  Deno.test(`findAddresses() leaves ${why} alone`, () => assertEquals(addresses(value), []));
}

Deno.test("findAddresses() looks at no more tokens than the limit", () => {
  assertEquals(addresses("a@x, b@y, c@z", 8), ["a@x", "b@y"]);
  assertEquals(addresses("a@x, ".repeat(100_000)).length, LIMIT / 4);
});

Deno.test("findAddresses() ends deep nesting in linear time", () => {
  assertEquals(addresses("(".repeat(1_000_000) + "a@x"), []);
  assertEquals(addresses("<".repeat(20_000)), []);
});

Deno.test("rewriteAddresses() replaces the address and nothing around it", async () => {
  const rewrite = (address: string) => address.includes("@") ? address : `${address}@here.org`;
  const value = 'T:\t"x, y" <root> (c),\r\n  =?x?q?y?= <@r:a b>, j (k) . l,Z <z@z>; "a b", "q"@r';
  assertEquals(
    await rewriteAddresses(value, rewrite, LIMIT),
    'T:\t"x, y" <root@here.org> (c),\r\n  =?x?q?y?= <@r:a b>, j.l@here.org (k),Z <z@z>; ' +
      '"a b"@here.org, "q"@r',
  );
});

Deno.test("rewriteAddresses() folds between addresses where a line becomes too long", async () => {
  const names = Array.from({ length: 100 }, (_, n) => n % 10 ? `user${n}` : `"A, B" <user${n}>`);
  const rewrite = (address: string) => `${address}@example.net`;
  const text = await rewriteAddresses(` ${names.join(",")}\r\n`, rewrite, LIMIT);
  const lines = text.trimEnd().split("\r\n");
  assert(lines.length > 20 && lines.every((line) => line.length <= 100 && /^[ \t]/.test(line)));
  assertEquals(addresses(text), names.map((_, n) => `user${n}@example.net`));
  // One that is short enough keeps its form.
  assertEquals(
    await rewriteAddresses(" a,b\r\n", rewrite, LIMIT),
    " a@example.net,b@example.net\r\n",
  );
});

Deno.test("rewriteAddresses() gives the same value back when no address changes", () =>
  fc.assert(fc.asyncProperty(
    fc.oneof(
      fc.string(),
      fc.array(fc.constantFrom(...'ab@.,<>();:"\\ []\r\n=?')).map((a) => a.join("")),
    ),
    async (value) => {
      assertEquals(await rewriteAddresses(value, (address) => address, LIMIT), value);
    },
  )));

Deno.test("rewriteAddresses() changes nothing but what findAddresses() found", () =>
  fc.assert(fc.asyncProperty(
    fc.array(fc.constantFrom(...'ab@.,<>();:"\\ []\r\n=?')).map((chars) => chars.join("")),
    async (value) => {
      const found = findAddresses(value, LIMIT);
      const result = await rewriteAddresses(value, () => "new@x", LIMIT);
      let expected = "", at = 0;
      for (const { start, end, address, comments } of found) {
        assertEquals(start >= at && end > start, true);
        if (address === "new@x") continue;
        expected += value.slice(at, start) + "new@x" + (comments && ` ${comments}`);
        at = end;
      }
      assertEquals(result, expected + value.slice(at));
    },
  )));

Deno.test("findAddresses() takes time in proportion to its text", () => {
  const parts = [
    "a",
    ".",
    "a. ",
    '"',
    "\\",
    "(",
    ")",
    "<",
    ">",
    "@",
    ",",
    ":",
    ";",
    "[",
    "<@a,",
    "a,",
    "=?",
    "()",
  ];
  assertQuick((text) => findAddresses(text, 1e6), parts, { around: ["", "<", '"', "(", "<@"] });
});
