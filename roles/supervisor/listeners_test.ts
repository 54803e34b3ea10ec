import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../shared/errors.ts";
import { endpointsOf } from "./listeners.ts";

const cases: [string, string, string, string[]][] = [
  ["smtp", "all", "ipv4", ["0.0.0.0 25"]],
  ["smtp", "all", "all", [":: 25"]],
  ["submission", "loopback-only", "ipv4", ["127.0.0.1 587"]],
  ["2525", "loopback-only", "all", ["127.0.0.1 2525", "::1 2525"]],
  ["127.0.0.1:2525", "all", "all", ["127.0.0.1 2525"]],
  ["[::1]:smtp", "all", "all", ["::1 25"]],
  ["smtp", "192.0.2.1, 192.0.2.2", "ipv4", ["192.0.2.1 25", "192.0.2.2 25"]],
];

for (const [name, interfaces, protocols, expected] of cases) {
  Deno.test(`endpointsOf() understands ${name} on ${interfaces} with ${protocols}`, () => {
    const got = endpointsOf(name, interfaces, protocols).map(({ address, port }) =>
      `${address} ${port}`
    );
    assertEquals(got, expected);
  });
}

for (const name of ["nosuchservice", "127.0.0.1:0", "127.0.0.1:65536", ""]) {
  Deno.test(`endpointsOf() refuses "${name}"`, () => {
    assertThrows(() => endpointsOf(name, "all", "ipv4"), ConfigError);
  });
}
