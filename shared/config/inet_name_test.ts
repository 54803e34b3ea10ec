import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { assertQuick, near, PROTOTYPE_NAMES } from "../../tests/support/hostile.ts";
import { inetName } from "./inet_name.ts";

Deno.test("inetName() has a host and a port, or nothing, for any name", () => {
  const name = near("smtp", "25", ":", "[", "]", "127.0.0.1", "::1", "0", "65536", " ");
  fc.assert(fc.property(name, (name) => {
    const found = inetName(name);
    if (!found) return;
    assert(Number.isInteger(found.port) && found.port >= 1 && found.port <= 65535, name);
    assert(!/[[\]\s]/.test(found.host) && name.includes(found.host), name);
  }));
  assertQuick(inetName, ["[", "]", ":", "1", "a", " ", "a:"], {
    around: ["", "[", "[::1]:", "a:"],
  });
});

Deno.test("inetName() gives back the host and the port that a name is made of", () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6().map((address) => `[${address}]`), fc.constant(""));
  fc.assert(fc.property(host, fc.integer({ min: 1, max: 65535 }), (host, port) => {
    const name = host ? `${host}:${port}` : `${port}`;
    assertEquals(inetName(name), { host: host.replace(/^\[|\]$/g, ""), port });
  }));
});

for (const name of PROTOTYPE_NAMES) {
  Deno.test(`inetName() knows no port named ${name}`, () => {
    assertEquals(inetName(name), undefined);
    assertEquals(inetName(`127.0.0.1:${name}`), undefined);
  });
}
