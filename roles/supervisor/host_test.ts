import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../shared/net/network.ts";
import { assertQuick, near, PROTOTYPE_NAMES } from "../../tests/support/hostile.ts";
import { findUser, nameServers, userName } from "./host.ts";

Deno.test("nameServers() names at most three addresses, for any resolv.conf", () => {
  const text = near(
    "nameserver",
    " ",
    "\t",
    "\n",
    "127.0.0.53",
    "::1",
    "fe80::1%eth0",
    "#",
    "search a.test",
  );
  fc.assert(fc.property(text, (text) => {
    const found = nameServers(text);
    assert(found.length <= 3 && found.every((each) => parseAddress(each)));
  }));
  assertEquals(nameServers("# nameserver 1.1.1.1\n nameserver\t::1\r\nnameserver 127.0.0.53 x\n"), [
    "::1",
    "127.0.0.53",
  ]);
  assertQuick(nameServers, ["\n", " ", "nameserver ", "nameserver 1\n", "a", "\t\n"]);
});

for (
  const [what, text, expected] of [
    ["is not there", "", ["127.0.0.1"]],
    ["names none", "search a.test\n# nameserver 192.0.2.1\nnameserver\n", ["127.0.0.1"]],
    ["names what no role can use", "nameserver fe80::1%eth0\n", []],
  ] as const
) {
  Deno.test(`nameServers() where resolv.conf ${what}`, () => {
    assertEquals(nameServers(text), [...expected]);
  });
}

Deno.test("findUser() finds users of passwd(5) by their whole names, whatever else is in the file", () => {
  const name = fc.oneof(
    fc.stringMatching(/^[a-z_][a-z0-9_-]{0,8}$/),
    fc.constantFrom(...PROTOTYPE_NAMES),
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { minLength: 1 }),
      near(":", "x", "\n", "0"),
      (names, noise) => {
        const lines = names.map((name, n) => `${name}:x:${n + 1}:${n + 2}:::`);
        for (const [n, name] of names.entries()) {
          const found = findUser(name, `${lines.join("\n")}\n${noise}`);
          assertEquals(found, { name, uid: n + 1, gid: n + 2 });
          assertEquals(findUser(`${name}!`, lines.join("\n")), undefined);
        }
      },
    ),
  );
  assertQuick((text) => findUser("a", text), [":", "\n", "a:", "a:x:\n", "a"]);
});

Deno.test("findUser() takes no user whose numbers are none", () => {
  for (
    const line of ["a:x:b:1", "a:x:1:b", "a:x:-1:1", "a:x:1e3:1", "a:x:0x0:1", "a:x::1", "a:x: :1"]
  ) {
    assertEquals(findUser("a", `${line}:::`), undefined, line);
  }
});

Deno.test("userName() is the name of a number, which it is itself where there is none", () => {
  const passwd = "root:x:0:0:::\nmail:x:8:8:::\n:x:9:9:::\n";
  assertEquals([0, 8, 9, 80].map((uid) => userName(uid, passwd)), ["root", "mail", "9", "80"]);
});
