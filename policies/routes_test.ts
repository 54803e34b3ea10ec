/** What routes and name servers in a configuration make of a row, whatever their text. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../shared/errors.ts";
import { parseAddress } from "../shared/net/network.ts";
import { assertQuick, attempt, near } from "../tests/support/hostile.ts";
import { type Host, nameServersOf } from "./grant.ts";
import { type Settings, smtpDestinations } from "./settings.ts";

const host: Host = { root: false, mailOwner: null, nameServers: ["192.0.2.53"] };

function settings(values: Record<string, string>): Settings {
  return {
    value: (name) => values[name] ?? "",
    services: [],
    logsToService: false,
    syslogName: () => "postfix",
    tables: new Map(),
    readTable: () => "",
  };
}

const destinations = (text: string, protocols = "ipv4") =>
  smtpDestinations(
    settings({ relayhost: text, inet_protocols: protocols, smtp_allowed_ports: "25" }),
  );

Deno.test("smtpDestinations() grants hosts with ports and absolute sockets alone, for any text", () => {
  const text = near(
    "a.test",
    "[::1]",
    ":25",
    ":2525",
    "[",
    "]",
    "unix:/run/x",
    ":",
    "smtp:",
    " ",
    ",",
    "}",
    "IPv6:",
    "\n",
  );
  fc.assert(fc.property(text, (text) => {
    const { hosts, sockets } = destinations(text);
    assert(hosts.includes("0.0.0.0/0:25"));
    for (const each of hosts) {
      assert(/^(0\.0\.0\.0\/0|\[[0-9a-fA-F:.]+\]):[0-9]+$/.test(each), each);
    }
    for (const each of sockets) assert(/^\/[^\s,}]+$/.test(each), each);
  }));
});

Deno.test("smtpDestinations() takes time in proportion to its text", () => {
  const parts = ["[", "]", "[]", ":", "a:", "[a", "[::", "1:25 ", "unix:/", "unix:", " "];
  assertQuick((text) => destinations(text), parts, { around: ["", "[", "[::", "a:"] });
});

Deno.test("smtpDestinations() grants a relative socket below queue_directory, and none that leads out of it", () => {
  const sockets = (nexthop: string) =>
    smtpDestinations(
      settings({
        virtual_transport: `lmtp:unix:${nexthop}`,
        queue_directory: "/q",
        inet_protocols: "ipv4",
        smtp_allowed_ports: "25",
      }),
    ).sockets;
  assertEquals(sockets("private/dovecot-lmtp"), ["/q/private/dovecot-lmtp"]);
  assertEquals(sockets("private/../x"), ["/q/x"]);
  for (const out of ["../x", "a/../../x", "..", ".", "private/"]) assertEquals(sockets(out), []);
});

const servers = (text: string) => nameServersOf(settings({ dns_servers: text }), host);

Deno.test("nameServersOf() names an address and a port for each server, or ConfigError, for any text", () => {
  const text = near(
    "127.0.0.1",
    "::1",
    "[::1]",
    ":53",
    ":0",
    ":65536",
    ":",
    "[",
    "]",
    " ",
    ",",
    "%eth0",
    "ns.test",
  );
  fc.assert(fc.property(text, (text) => {
    for (const each of attempt(() => servers(text), ConfigError) ?? []) {
      const [, six, four, port] = /^(?:\[(.+)\]|([0-9.]+)):([0-9]+)$/.exec(each)!;
      assertEquals(parseAddress(six ?? four!)?.length, six ? 16 : 4);
      assert(Number(port) >= 1 && Number(port) <= 65535);
    }
  }));
  assertQuick(servers, ["1", ":", ".", "[", "]", "1.", "::", " ", ","], {
    around: ["", "["],
    declared: [ConfigError],
  });
});

for (
  const bad of ["1.2.3", "1.2.3.4:99999", "[1.2.3.4", "::1]:53", "fe80::1%eth0", "constructor"]
) {
  Deno.test(`nameServersOf() refuses ${bad}`, () => {
    assertThrows(() => servers(bad), ConfigError);
  });
}
