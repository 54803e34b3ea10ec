import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../errors.ts";
import { assertQuick, attempt, near } from "../../tests/support/hostile.ts";
import {
  type AddressBytes,
  addressText,
  contains,
  firstBits,
  literalAddress,
  parseAddress,
  parseNetwork,
  plainAddress,
} from "./network.ts";
import { networkItem } from "./network_list.ts";

const PARTS = [
  "10.0.0.1",
  "::1",
  "2001:db8::",
  "1.2.3.4",
  ":",
  ".",
  "0",
  "f",
  "[",
  "]",
  "/",
  "8",
  "%eth0",
  "IPv6:",
  "0x1",
  "!",
  "cidr:",
  " ",
];
const text = near(...PARTS);
const bytes: fc.Arbitrary<AddressBytes> = fc.constantFrom(4, 16).chain((length) =>
  fc.array(fc.integer({ min: 0, max: 255 }), { minLength: length, maxLength: length })
);

Deno.test("parseAddress() has bytes or nothing for any text, and every address back in its usual form", () => {
  fc.assert(fc.property(text, (text) => {
    const found = parseAddress(text);
    if (!found) return;
    assert(found.length === 4 || found.length === 16);
    assert(/^[\x21-\x7e]+$/.test(text), text);
    assertEquals(parseAddress(addressText(found)), found);
  }));
  fc.assert(fc.property(bytes, (bytes) => {
    assertEquals(parseAddress(addressText(bytes)), bytes);
    assertEquals(literalAddress(`[${addressText(bytes)}]`), addressText(bytes));
  }));
});

Deno.test("parseNetwork() has a network, a mistake or nothing for any text, and every network back", () => {
  fc.assert(fc.property(text, (text) => {
    const found = parseNetwork(text);
    if (typeof found === "object") {
      assert(found.bits >= 0 && found.bits <= found.bytes.length * 8);
      assert(contains(found, found.bytes));
    } else assert(found === undefined || found !== "");
  }));
  fc.assert(fc.property(bytes, fc.nat(128), (bytes, bits) => {
    const network = {
      bits: Math.min(bits, bytes.length * 8),
      bytes: firstBits(bytes, Math.min(bits, bytes.length * 8)),
    };
    const shown = addressText(network.bytes);
    assertEquals(
      parseNetwork(`${bytes.length === 16 ? `[${shown}]` : shown}/${network.bits}`),
      network,
    );
    assert(contains(network, bytes));
  }));
});

Deno.test("networkItem() has an item or ConfigError for any text, and says no after an odd number of !", () => {
  fc.assert(fc.property(text, (text) => {
    const item = attempt(() => networkItem(text), ConfigError);
    if (!item) return;
    assertEquals(item.text, text);
    assertEquals(item.included, (/^!*/.exec(text)![0].length) % 2 === 0);
    if ("file" in item) assert(item.file.startsWith("/"));
  }));
});

Deno.test("addresses and networks are read in time in proportion to their text", () => {
  const around = ["", "[", "::", "1.", "cidr:"];
  for (const parse of [parseAddress, parseNetwork, literalAddress, plainAddress]) {
    assertQuick(parse, PARTS, { around });
  }
  assertQuick(networkItem, PARTS, { around, declared: [ConfigError] });
});
