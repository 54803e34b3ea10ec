import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createServer } from "node:net";
import { ConfigError } from "../../shared/errors.ts";
import { splitList } from "../../shared/parameters/split_list.ts";
import { assertQuick, attempt, near } from "../../tests/support/hostile.ts";
import { freePort } from "./handles.ts";
import { endpointsOf, Listeners } from "./listeners.ts";

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

for (
  const [held, wanted] of [["0.0.0.0", "127.0.0.1"], ["127.0.0.1", "0.0.0.0"]]
) {
  Deno.test(`Listeners says that the system itself has ${held} where ${wanted} is wanted`, async () => {
    const listeners = new Listeners("/nowhere", { root: false, mailOwner: null, nameServers: [] });
    const port = freePort(), server = createServer();
    try {
      // Somebody has to listen there: a role.
      server.listen(listeners.inet({ address: held!, port }, "master.cf: x") as object);
      await new Promise((resolve) => server.once("listening", resolve));
      const said = `port ${port}: address already in use: this system has [${held}]:${port} until`;
      assertThrows(
        () => listeners.inet({ address: wanted!, port }, "master.cf: x"),
        ConfigError,
        said,
      );
      assertThrows(
        () => listeners.leaveInet({ address: wanted!, port }, "master.cf: x"),
        ConfigError,
        said,
      );
    } finally {
      listeners.close();
      server.close();
    }
  });
}

Deno.test("Listeners asks whether another mail system is running where it is not this one", () => {
  const listeners = new Listeners("/nowhere", { root: false, mailOwner: null, nameServers: [] });
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = other.addr as Deno.NetAddr;
  try {
    listeners.inet({ address: "127.0.0.1", port: freePort() }, "master.cf: x");
    for (const address of ["127.0.0.1", "0.0.0.0"]) {
      assertThrows(
        () => listeners.inet({ address, port }, "master.cf: x"),
        ConfigError,
        "address already in use: is another mail system running?",
      );
    }
  } finally {
    listeners.close();
  }
});
