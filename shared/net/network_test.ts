import { assertEquals } from "@std/assert";
import { literalAddress, plainAddress } from "./network.ts";

Deno.test("plainAddress() writes IPv4 in its own form and drops zones", () => {
  assertEquals(plainAddress("::ffff:192.0.2.1"), "192.0.2.1");
  assertEquals(plainAddress("fe80::1%eth0"), "fe80::1");
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
