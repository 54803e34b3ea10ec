/** What a configuration's texts come to in the rights of the roles. */

import { assertEquals } from "@std/assert";
import { grantOf } from "../../policies/grant.ts";
import { policies, policyOf } from "../../policies/mod.ts";
import { settingsOf } from "./settings.ts";
import { configured } from "./test_configuration.ts";

const NOBODY = { root: false, mailOwner: null, nameServers: [] };

Deno.test("settingsOf() finds the files of tables and lists, and takes no other path for one", () => {
  const configuration = configured(
    "maillog_file = /var/log/maillog\nsyslog_socket = /run/log\nrecipient_delimiter = /\n" +
      "mydestination = /etc/postern/domains\nlocal_recipient_maps =\nalias_maps =\n" +
      "transport_maps = texthash:/etc/postern/transport",
    "smtp unix - - n - - smtp",
  );
  const readers = policies.map((row) => grantOf(row, row.role, settingsOf(configuration), NOBODY))
    .filter(({ row }) => row.reads?.includes("tables"));
  assertEquals(readers.map(({ row, reads }) => [row.role, reads]), [
    ["rewrite", ["/etc/postern/domains", "/etc/postern/transport"]],
  ]);
});

for (
  const [protocols, hosts] of [
    ["ipv4", ["0.0.0.0/0:25"]],
    ["IPv4", ["0.0.0.0/0:25"]],
    ["ipv4,", ["0.0.0.0/0:25"]],
    ["ipv4, ipv6", ["*"]],
  ] as const
) {
  Deno.test(`with inet_protocols = ${protocols} smtp may connect to ${hosts}`, () => {
    const configuration = configured(
      `inet_protocols = ${protocols}\nsmtp_allowed_ports = {25}`,
      "smtp unix - - n - - smtp",
    );
    const grant = grantOf(policyOf("smtp")!, "smtp", settingsOf(configuration), NOBODY);
    assertEquals(grant.hosts, hosts);
  });
}

Deno.test("a transport may connect to what its own line of master.cf says", () => {
  const configuration = configured(
    "inet_protocols = ipv4\nsmtp_allowed_ports = 25",
    "smtp unix - - n - - smtp\n" +
      "six unix - - n - - smtp -o inet_protocols=ipv6\n" +
      "far unix - - n - - smtp -o smtp_fallback_relay=[gw.test]:2626",
  );
  const hosts = (service: string) =>
    grantOf(policyOf("smtp")!, service, settingsOf(configuration), NOBODY).hosts;
  assertEquals(hosts("smtp"), ["0.0.0.0/0:25"]);
  assertEquals(hosts("six"), ["*"]);
  assertEquals(hosts("far"), ["0.0.0.0/0:25", "0.0.0.0/0:2626"]);
});

Deno.test("virtual writes where its own line of master.cf says, as whom that says", () => {
  const configuration = configured(
    "virtual_mailbox_base = /srv/mail\nvirtual_uid_maps = static:5000\nvirtual_gid_maps = static:5000",
    "virtual unix - n n - - virtual\n" +
      "other unix - n n - - virtual -o virtual_mailbox_base=/srv/other -o virtual_uid_maps=static:5001\n",
  );
  const mailOwner = { name: "postern", uid: 900, gid: 900 };
  const of = (service: string) => {
    const root = { root: true, mailOwner, nameServers: [] };
    const { writes, user } = grantOf(
      policyOf("virtual")!,
      service,
      settingsOf(configuration),
      root,
    );
    return [writes, user?.uid];
  };
  assertEquals(of("virtual"), [["/srv/mail"], 5000]);
  assertEquals(of("other"), [["/srv/other"], 5001]);
});

Deno.test("rewrite reads, and dns asks, what their own lines of master.cf name", () => {
  const configuration = configured(
    "mydestination =\nlocal_recipient_maps =\nalias_maps =\ntransport_maps = texthash:/etc/mine",
    "rewrite unix - - n - - trivial-rewrite -o transport_maps=texthash:/etc/other\n" +
      "dns unix - - n - - dns -o dns_servers=127.0.0.1:5353\n",
  );
  const settings = settingsOf(configuration);
  assertEquals(grantOf(policyOf("rewrite")!, "rewrite", settings, NOBODY).reads, ["/etc/other"]);
  assertEquals(grantOf(policyOf("dns")!, "dns", settings, NOBODY).hosts, [
    "127.0.0.1:5353",
    "0.0.0.0:0",
  ]);
});

Deno.test("what a route says to people opens no port, and no number that is none is granted", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const table = `${directory}/transport`;
    Deno.writeTextFileSync(
      table,
      "a.test smtp:[gw.test]:2525\nb.test error:5.7.1 no ssh to host:22 here\n" +
        "c.test error:5.1.1 closed since [12:34]\nd.test smtp:[127.0.0.1]:70000\n" +
        "e.test retry:4.1.1 ask host:3306\nf.test smtp:[12:34]:2626\n",
    );
    const configuration = configured(
      `inet_protocols = ipv4\nsmtp_allowed_ports = smtp\ntransport_maps = hash:${table}`,
      "smtp unix - - n - - smtp",
    );
    const { hosts } = grantOf(policyOf("smtp")!, "smtp", settingsOf(configuration), NOBODY);
    assertEquals(hosts, ["0.0.0.0/0:25", "0.0.0.0/0:2525", "0.0.0.0/0:2626"]);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
