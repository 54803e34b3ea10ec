import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../shared/errors.ts";
import { clientNetwork, networks } from "./networks.ts";

const rows: [list: string, address: string, inside: boolean][] = [
  ["127.0.0.0/8 [::1]/128", "127.9.9.9", true],
  ["127.0.0.0/8 [::1]/128", "128.0.0.1", false],
  ["127.0.0.0/8 [::1]/128", "::1", true],
  ["127.0.0.0/8 [::1]/128", "::2", false],
  ["127.0.0.0/8", "::ffff:127.0.0.1", true],
  ["10.1.2.3", "10.1.2.3", true],
  ["10.1.2.3", "10.1.2.4", false],
  ["2001:db8::/32", "2001:db8:1::1", true],
  ["!10.0.0.5 10.0.0.0/8", "10.0.0.5", false],
  ["!10.0.0.5 10.0.0.0/8", "10.0.0.6", true],
  ["0.0.0.0/0", "::1", false],
  ["", "127.0.0.1", false],
  ["10.0.0.0/8", "unknown", false],
];

for (const [list, address, inside] of rows) {
  Deno.test(`networks(${list}) ${inside ? "has" : "has not"} ${address}`, () => {
    assertEquals(networks("mynetworks", list.split(" ").filter(Boolean))(address), inside);
  });
}

for (
  const bad of [
    "example.com",
    "10.0.0.1/8",
    "10.0.0.0/33",
    "hash:/etc/x",
    "/etc/x",
    "10.1",
    "167772161",
    "",
  ]
) {
  Deno.test(`networks() refuses "${bad}"`, () => {
    assertThrows(() => networks("mynetworks", [bad]), ConfigError, "mynetworks");
  });
}

Deno.test("networks() adds the listed interfaces to the default list only", () => {
  const own = ["192.0.2.1", "all"];
  assertEquals(networks("mynetworks", ["127.0.0.0/8", "[::1]/128"], own)("192.0.2.1"), true);
  assertEquals(networks("mynetworks", ["127.0.0.0/8"], own)("192.0.2.1"), false);
});

Deno.test("clientNetwork() joins the addresses of one client", () => {
  assertEquals(clientNetwork("192.0.2.77", 32, 84), "192.0.2.77");
  assertEquals(clientNetwork("192.0.2.77", 24, 84), "192.0.2.0/24");
  assertEquals(clientNetwork("2001:db8::ffff:1", 32, 64), "2001:db8::/64");
});
