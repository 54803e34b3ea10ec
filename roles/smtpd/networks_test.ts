import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../shared/errors.ts";
import { networkItem } from "../../shared/net/network_list.ts";
import { splitList } from "../../shared/parameters/declare.ts";
import { addressItems, clientNetwork, networks } from "./networks.ts";

const items = (list: string) => splitList(list).map(networkItem);

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
    assertEquals(networks(items(list))(address), inside);
  });
}

for (
  const bad of [
    "example.com",
    "10.0.0.1/8",
    "10.0.0.0/33",
    "hash:/etc/x",
    "300.1.1.1/8",
    "10.1",
    "167772161",
    "",
  ]
) {
  Deno.test(`networkItem() refuses "${bad}"`, () => {
    assertThrows(() => networkItem(bad), ConfigError);
  });
}

Deno.test("addressItems() takes the addresses among the listed interfaces", () => {
  const own = networks(addressItems(["192.0.2.1", "all", "[ipv6:2001:db8::1]"]));
  assertEquals(["192.0.2.1", "2001:db8::1", "192.0.2.2"].map(own), [true, true, false]);
});

Deno.test("networks() takes no file that nobody read", () => {
  assertThrows(() => networks(items("/etc/x")), ConfigError, "/etc/x: a file was not read");
});

Deno.test("clientNetwork() joins the addresses of one client", () => {
  assertEquals(clientNetwork("192.0.2.77", 32, 84), "192.0.2.77");
  assertEquals(clientNetwork("192.0.2.77", 24, 84), "192.0.2.0/24");
  assertEquals(clientNetwork("2001:db8::ffff:1", 32, 64), "2001:db8::/64");
});
