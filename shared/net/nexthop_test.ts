import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { PeerError } from "../errors.ts";
import { assertQuick, attempt, near } from "../../tests/support/hostile.ts";
import { parseNexthop } from "./nexthop.ts";

const seen = (nexthop: string, lmtp = false) =>
  parseNexthop(nexthop, lmtp, lmtp ? "24" : "smtp").map(({ host, port, mx, path }) =>
    path ?? `${mx ? "mx " : ""}${host} ${port}`
  );

for (
  const [nexthop, ...expected] of [
    ["example.com", "mx example.com 25"],
    ["example.com.", "mx example.com 25"],
    ["example.com:2525", "mx example.com 2525"],
    ["example.com:submission", "mx example.com 587"],
    ["[mail.example.com]", "mail.example.com 25"],
    ["[mail.example.com]:587", "mail.example.com 587"],
    ["[192.0.2.1]:26", "192.0.2.1 26"],
    ["192.0.2.1", "192.0.2.1 25"],
    ["[IPv6:2001:db8::1]:26", "2001:db8::1 26"],
    ["[2001:db8::1]", "2001:db8::1 25"],
    ["a.test, [b.test]:26 c.test", "mx a.test 25", "b.test 26", "mx c.test 25"],
    ["bücher.example", "mx xn--bcher-kva.example 25"],
  ]
) {
  Deno.test(`parseNexthop() reads ${nexthop}`, () => assertEquals(seen(nexthop!), expected));
}

for (
  const [nexthop, ...expected] of [
    ["unix:/run/lmtp", "/run/lmtp"],
    ["unix:private/dovecot-lmtp", "private/dovecot-lmtp"],
    ["unix:/run/./x//lmtp", "/run/x/lmtp"],
    ["inet:mail.test", "mail.test 24"],
    ["inet:[::1]:2003", "::1 2003"],
    ["mail.test:2003", "mail.test 2003"],
  ]
) {
  Deno.test(`parseNexthop() reads ${nexthop} for LMTP`, () =>
    assertEquals(seen(nexthop!, true), expected));
}

for (
  const nexthop of [
    "",
    "[half",
    "a.test:0",
    "a.test:70000",
    "a.test:what",
    "a.test:constructor",
    "[]",
    "a b]",
    "bücher/x",
    "a?ü@bücher.example",
  ]
) {
  Deno.test(`parseNexthop() refuses "${nexthop}"`, () => {
    assertThrows(() => seen(nexthop), PeerError);
  });
}

for (const path of ["", ".", "..", "../lmtp", "private/../../lmtp", "./../x", "private/", "/"]) {
  Deno.test(`parseNexthop() refuses the socket "${path}"`, () => {
    assertThrows(() => seen(`unix:${path}`, true), PeerError, "malformed destination");
  });
}

Deno.test("parseNexthop() survives any text", () => {
  fc.assert(fc.property(fc.string(), fc.boolean(), (text, lmtp) => {
    try {
      for (const each of parseNexthop(text, lmtp, "25")) {
        assertEquals(each.path !== undefined || (each.port > 0 && each.port < 65536), true);
      }
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
    }
  }));
});

Deno.test("parseNexthop() has hosts with ports, or PeerError, for any text that is nearly one", () => {
  const text = near(
    "a.test",
    "[",
    "]",
    ":",
    "25",
    "smtp",
    "::1",
    "10.0.0.1",
    "IPv6:",
    ",",
    " ",
    "inet:",
    "unix:/s",
    ".",
  );
  fc.assert(fc.property(text, fc.boolean(), (text, lmtp) => {
    const found = attempt(() => parseNexthop(text, lmtp, "25"), PeerError) ?? [];
    assertEquals(found.length <= 50, true);
    for (const { host, port, path } of found) {
      assertEquals(path !== undefined || Number.isInteger(port) && port > 0 && port < 65536, true);
      // What is connected to or looked up is ASCII, whatever it looked like.
      assertEquals(/^[\x21-\x7e]*$/.test(host) || text.includes(host), true, host);
    }
  }));
});

Deno.test("parseNexthop() takes time in proportion to its text", () => {
  const parts = [":", "::", "[", "]", "a", "1:", ".", ",", " ", "a:", "a.test:25,", "f"];
  for (const lmtp of [false, true]) {
    const around = ["", "[", "[ipv6:", "a:", "::", "inet:", "unix:/"];
    assertQuick((text) => parseNexthop(text, lmtp, "25"), parts, { around, declared: [PeerError] });
  }
});
