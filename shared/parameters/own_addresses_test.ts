import { assertEquals } from "@std/assert";
import { ownAddresses } from "./own_addresses.ts";

for (
  const [inetInterfaces, proxyInterfaces, expected] of [
    ["all", "", "192.0.2.5 192.0.2.9 127.0.0.1 ::1"],
    ["loopback-only", "", "127.0.0.1 ::1"],
    ["LocalHost", "", "127.0.0.1 ::1"],
    ["192.0.2.9", "", "192.0.2.9"],
    ["[192.0.2.9] 2001:DB8::0:1", "", "192.0.2.9 2001:db8::1"],
    ["localhost 192.0.2.9", "198.51.100.1 nat.test", "127.0.0.1 ::1 192.0.2.9 198.51.100.1"],
  ] as const
) {
  Deno.test(`ownAddresses() of inet_interfaces ${inetInterfaces}, proxy_interfaces ${proxyInterfaces}`, () => {
    const own = ownAddresses({
      inetInterfaces: inetInterfaces.split(" "),
      proxyInterfaces: proxyInterfaces.split(" "),
      hostAddresses: ["192.0.2.5", "192.0.2.9"],
    });
    assertEquals([...own].join(" "), expected);
  });
}
