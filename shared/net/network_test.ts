import { assertEquals } from "@std/assert";
import { literalAddress, parseAddress, plainAddress } from "./network.ts";

Deno.test("plainAddress() writes IPv4 in its own form and drops zones", () => {
  assertEquals(plainAddress("::ffff:192.0.2.1"), "192.0.2.1");
  assertEquals(plainAddress("fe80::1%eth0"), "fe80::1");
  assertEquals(plainAddress("host"), "host");
});

Deno.test("plainAddress() and parseAddress() take ::127.0.0.1 for an IPv6 address of its own", () => {
  assertEquals(plainAddress("::127.0.0.1"), "::7f00:1");
  assertEquals(parseAddress("::127.0.0.1"), parseAddress("::7f00:1"));
  assertEquals(parseAddress("64:ff9b::192.0.2.1"), parseAddress("64:ff9b::c000:201"));
  for (const text of ["::1.2.3", "::1.2.3.04", "::1.2.3.4:5", "1.2.3.4::"]) {
    assertEquals(parseAddress(text), undefined);
  }
});

const literals: [literal: string, address: string | undefined][] = [
  ["[192.0.2.1]", "192.0.2.1"],
  ["[IPv6:2001:DB8:0::1]", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["[IPv6:192.0.2.1]", undefined],
  ["[192.0.2]", undefined],
  ["[fe80::1%eth0]", undefined],
  ["192.0.2.1", undefined],
];
for (const [literal, address] of literals) {
  Deno.test(`literalAddress() takes ${literal} for ${address}`, () => {
    assertEquals(literalAddress(literal), address);
  });
}
