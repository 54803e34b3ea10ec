import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../../shared/errors.ts";
import { splitList } from "../../shared/parameters/split_list.ts";
import { assertQuick, attempt, near } from "../../tests/support/hostile.ts";
import { endpointsOf } from "./listeners.ts";

const cases: [string, string, string, string[]][] = [
  ["smtp", "all", "ipv4", ["0.0.0.0 25"]],
  ["smtp", "all", "all", [":: 25"]],
  ["smtp", "all", "ipv4, ipv4", ["0.0.0.0 25"]],
  ["smtp", "loopback-only", "ipv6 ipv4", ["127.0.0.1 25", "::1 25"]],
  ["submission", "loopback-only", "ipv4", ["127.0.0.1 587"]],
  ["2525", "loopback-only", "all", ["127.0.0.1 2525", "::1 2525"]],
  ["127.0.0.1:2525", "all", "all", ["127.0.0.1 2525"]],
  ["[::1]:smtp", "all", "all", ["::1 25"]],
  ["smtp", "192.0.2.1, 192.0.2.2", "ipv4", ["192.0.2.1 25", "192.0.2.2 25"]],
];

for (const [name, interfaces, protocols, expected] of cases) {
  Deno.test(`endpointsOf() understands ${name} on ${interfaces} with ${protocols}`, () => {
    const got = endpointsOf(name, splitList(interfaces), splitList(protocols))
      .map(({ address, port }) => `${address} ${port}`);
    assertEquals(got, expected);
  });
}

for (
  const name of [
    "nosuchservice",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "",
    "constructor",
    "0x19",
    "1e2",
    " 25",
  ]
) {
  Deno.test(`endpointsOf() refuses "${name}"`, () => {
    assertThrows(() => endpointsOf(name, ["all"], ["ipv4"]), ConfigError);
  });
}

Deno.test("endpointsOf() has an address and a port, or ConfigError, for any name and any interfaces", () => {
  const part = near(
    "smtp",
    "25",
    ":",
    "[",
    "]",
    "127.0.0.1",
    "::1",
    "all",
    "localhost",
    ",",
    " ",
    "0",
  );
  fc.assert(fc.property(part, part, (name, interfaces) => {
    const got = attempt(() => endpointsOf(name, splitList(interfaces), ["all"]), ConfigError);
    for (const { address, port } of got ?? []) {
      assert(/^[0-9a-f:.]+$/.test(address) && port >= 1 && port <= 65535);
    }
  }));
  const around = ["", "[", "[::1]:", "a:"];
  for (
    const text of [
      (name: string) => endpointsOf(name, ["all"], ["all"]),
      (list: string) => endpointsOf("25", splitList(list), ["all"]),
    ]
  ) {
    assertQuick(text, ["[", "]", ":", "1", "all ", ",", "a"], { around, declared: [ConfigError] });
  }
});
