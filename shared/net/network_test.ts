import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isIP } from "node:net";
import { addressText, literalAddress, parseAddress, plainAddress } from "./network.ts";

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

Deno.test("addressText() and parseAddress() are each other's way back", () => {
  const bytes = (length: number) =>
    fc.array(fc.constantFrom(0, 0, 0, 1, 0x7f, 0xff), { minLength: length, maxLength: length });
  fc.assert(fc.property(fc.oneof(bytes(4), bytes(16)), (address) => {
    const text = addressText(address);
    assertEquals([isIP(text), parseAddress(text)], [address.length === 4 ? 4 : 6, address]);
  }));
});

for (
  const [text, usual] of [
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:DB8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ] as const
) {
  Deno.test(`addressText() writes ${text} as RFC 5952 does`, () => {
    assertEquals(addressText(parseAddress(text)!), usual);
  });
}

Deno.test("parseAddress() makes sixteen bytes of what isIP() takes for IPv6", () => {
  const text = fc.array(fc.constantFrom(":", ":", "::", "0", "f1", "1.2.3.4"), { maxLength: 18 });
  fc.assert(
    fc.property(text.map((parts) => parts.join("")), (text) => {
      assertEquals(parseAddress(text)?.length, { 0: undefined, 4: 4, 6: 16 }[isIP(text)], text);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("parseAddress() takes no other way to write an address", () => {
  for (
    const text of [
      "",
      "1",
      "1.2.3",
      "01.2.3.4",
      "0x7f.1",
      "1.2.3.4.5",
      "256.1.1.1",
      "::1%lo",
      "[::1]",
      "1::2::3",
      ":::",
      "1:2:3:4:5:6:7:8:9",
      "12345::",
      "::g",
      " ::1",
      "::1\n",
    ]
  ) {
    assertEquals(parseAddress(text), undefined, text);
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
