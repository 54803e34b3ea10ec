import { assertEquals, assertMatch } from "@std/assert";
import { EX } from "../../shared/errors.ts";
import { CERTIFICATE, HERE, said, WAITS } from "./test_check.ts";

const fatal: [reason: string, lines: string, expected: string, files?: Record<string, string>][] = [
  ["a relative queue", "queue_directory = q", 'queue_directory: must be an absolute path: is "q"'],
  [
    "a path that would be two to Deno",
    "virtual_mailbox_base = /srv/mail,/etc",
    'virtual_mailbox_base: must not have a comma: is "/srv/mail,/etc"',
  ],
  [
    "a type of table that nobody has",
    "virtual_alias_maps = nosuch:/x",
    'virtual_alias_maps: unknown table type nosuch: "nosuch:/x"',
  ],
  [
    "a type of table that is not built yet, inside another",
    "transport_maps = unionmap:{static:x, proxy:mysql:/x}",
    'transport_maps: tables of type mysql are not built yet: "mysql:/x"',
  ],
  [
    "a type of table that nobody has, among domains",
    "relay_domains = example.com, !nosuch:/x",
    'relay_domains: unknown table type nosuch: "nosuch:/x"',
  ],
  [
    "a table of a relative file",
    "transport_maps = hash:x",
    'transport_maps: must name a file by its absolute path: "hash:x"',
  ],
  [
    "a table that is written wrongly",
    "transport_maps = inline:{x}",
    'transport_maps: inline:{x}: must be key=value: is "x"',
  ],
  [
    "a network that is none",
    "mynetworks = 300.1.1.1/8",
    'mynetworks: must be a network or address: is "300.1.1.1/8"',
  ],
  [
    "a network with bits of a host",
    "mynetworks = 10.0.0.1/8",
    'mynetworks: non-null host address bits in "10.0.0.1/8", perhaps "10.0.0.0/8" is meant',
  ],
  [
    "a table of networks that smtpd would have to ask",
    "mynetworks = hash:/x",
    'mynetworks: of tables, only cidr:/file can be used here: is "hash:/x"',
  ],
  [
    "a file of networks that is not there",
    "mynetworks = /nonexistent",
    "mynetworks: /nonexistent: cannot open: no such file",
  ],
  [
    "a broken file of networks that are excepted",
    "mynetworks = !cidr:$directory/c, 127.0.0.0/8",
    'mynetworks: DIR/c: line 2: bad net/mask pattern: "x y"',
    { c: "10.0.0.0/8 ok\nx y\n" },
  ],
  [
    "a relay host with half a bracket",
    "relayhost = [1.2.3.4",
    'relayhost: must be host, [host] or host:port: malformed destination "[1.2.3.4"',
  ],
  [
    "an address of another host",
    "inet_interfaces = 203.0.113.99",
    'inet_interfaces: this host has no such address: "203.0.113.99"',
  ],
  [
    "an interface's name",
    "inet_interfaces = eth0",
    'inet_interfaces: must be addresses, all or loopback-only: is "eth0"',
  ],
  [
    "an IP version that is none",
    "inet_protocols = ipv9",
    'inet_protocols: must be words of all, ipv4, ipv6: is "ipv9"',
  ],
  [
    "an open relay",
    "smtpd_relay_restrictions = permit_mynetworks",
    "smtpd_relay_restrictions: in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, " +
    "specify at least one working instance of: reject_unauth_destination, defer_unauth_destination, " +
    "reject, defer, defer_if_permit",
  ],
  [
    "a restriction that nobody knows",
    "smtpd_sender_restrictions = nosuch",
    'smtpd_sender_restrictions: unknown smtpd restriction: "nosuch"',
  ],
  [
    "a restriction that is not built yet",
    "smtpd_client_restrictions = reject_rbl_client x.test",
    'smtpd_client_restrictions: restriction "reject_rbl_client" is not built yet',
  ],
  [
    "a certificate that is not there",
    "smtpd_tls_cert_file = /nonexistent",
    "smtpd_tls_cert_file: cannot read /nonexistent: no such file",
  ],
  [
    "a certificate without a key",
    "smtpd_tls_cert_file = $directory/c",
    "smtpd_tls_cert_file: has no private key in PEM form (-----BEGIN PRIVATE KEY-----)",
    { c: CERTIFICATE },
  ],
  [
    "TLS demanded without a certificate",
    "smtpd_tls_security_level = encrypt",
    "smtpd_tls_security_level: encrypt needs smtpd_tls_chain_files",
  ],
  [
    "a class of notices that nobody sends",
    "notify_classes = bounce, bogus",
    "notify_classes: must be words of bounce, 2bounce, data, delay, policy, protocol, resource, " +
    'software: is "bogus"',
  ],
  [
    "name servers that are none",
    "dns_servers = ns.test",
    'dns_servers: must be addresses: is "ns.test"',
  ],
  [
    "a transport without a name",
    "default_transport = :[gw.test]",
    'default_transport: must be transport:nexthop: is ":[gw.test]"',
  ],
];

for (const [reason, lines, expected, files] of fatal) {
  Deno.test(`check names ${reason}, and exits with 78`, async () => {
    const { code, found, summary } = await said(lines, "", files);
    assertEquals(found, [`check: fatal: ${HERE}: ${expected}`]);
    assertMatch(summary, /^DIR: cannot be used: 1 error, /);
    assertEquals(code, EX.CONFIG);
  });
}

const warnings: [
  reason: string,
  lines: string,
  expected: string,
  files?: Record<string, string>,
][] = [
  [
    "a table whose file is not there",
    "virtual_alias_maps = hash:/nonexistent",
    `virtual_alias_maps: /nonexistent: cannot open: no such file: ${WAITS}`,
  ],
  [
    "a broken regexp: table",
    "transport_maps = regexp:$directory/r",
    'transport_maps: DIR/r, line 2: no closing "/" after the pattern: skipping this rule',
    { r: "/a/ b\n/x y\n" },
  ],
  [
    "a broken cidr: table inside another",
    "transport_maps = pipemap:{static:x, cidr:$directory/c}",
    'transport_maps: DIR/c, line 1: bad net/mask pattern: "x y": skipping this rule',
    { c: "x y\n" },
  ],
  [
    "a line of a table that is none",
    "transport_maps = texthash:$directory/t",
    'transport_maps: DIR/t, line 1: expected format: key whitespace value: is "key": skipping this line',
    { t: "key\nk v\n" },
  ],
  [
    "a broken line of a table of exceptions, of which none is skipped",
    "relay_domains = !regexp:$directory/r, static:all",
    `relay_domains: DIR/r: line 2: no closing "/" after the pattern: ${WAITS}`,
    { r: "/a/ b\n/x y\n" },
  ],
  [
    "a broken line of networks",
    "mynetworks = cidr:$directory/c",
    'mynetworks: DIR/c, line 1: bad net/mask pattern: "x y": skipping this rule',
    { c: "x y\n127.0.0.0/8 ok\n" },
  ],
  [
    "a rule that only Postfix understands, beside another",
    "transport_maps = regexp:$directory/r",
    `transport_maps: DIR/r, line 1: a back-reference, \\1, is not supported: ${WAITS}`,
    { r: "/(a)\\1/ b\n" },
  ],
  [
    "postmasters who are told of nothing yet",
    "notify_classes = bounce, policy, Protocol",
    "notify_classes: policy, protocol: nobody is told of these yet",
  ],
  [
    "a part of an address in the name of its next hop",
    "transport_maps = regexp:$directory/r",
    "transport_maps: DIR/r, line 1: regular expression substitution is not allowed here: skipping this rule",
    { r: "/^(.*)@b$/ smtp:[$1]\n" },
  ],
  [
    "a list of domains that is not there",
    "relay_domains = /nonexistent",
    `relay_domains: /nonexistent: cannot open: no such file: ${WAITS}`,
  ],
  [
    "a transport that master.cf does not have",
    "default_transport = nosuch:[gw.test]",
    "default_transport: master.cf has no service nosuch: mail for it must wait",
  ],
  [
    "a domain of two classes",
    "virtual_mailbox_domains = Here.Example\nvirtual_transport = smtp",
    "virtual_mailbox_domains: do not list domain here.example in BOTH mydestination and " +
    "virtual_mailbox_domains",
  ],
];

for (const [reason, lines, expected, files] of warnings) {
  Deno.test(`check warns of ${reason}, and exits with 0`, async () => {
    const { code, found } = await said(lines, "", files);
    assertEquals(found, [`check: warning: ${HERE}: ${expected}`]);
    assertEquals(code, EX.OK);
  });
}

Deno.test("check warns of messages that may come in and fit no mailbox, where virtual gets any", async () => {
  const large = "message_size_limit = 60000000";
  const warned = (line: number) => [
    `check: warning: DIR/main.cf, line ${line}: virtual_mailbox_limit: is smaller than message_size_limit: ` +
    "larger mail must wait",
  ];
  const virtual = "virtual unix - n n - - virtual\n";
  const boxes = "\nvirtual_mailbox_domains = box.example\nvirtual_mailbox_base = /srv/mail\n" +
    "virtual_uid_maps = static:5000\nvirtual_gid_maps = static:5000";
  assertEquals((await said(large + boxes, virtual)).found, warned(5));
  const small = `${large}\nvirtual_mailbox_limit = 59999999`;
  assertEquals((await said(small + boxes, virtual)).found, warned(6));
  for (const enough of ["0", "60000000"]) {
    const lines = `${large}\nvirtual_mailbox_limit = ${enough}${boxes}`;
    assertEquals((await said(lines, virtual)).found, []);
  }
  assertEquals((await said(large, virtual)).found, []);
  const elsewhere = `${large}${boxes}\nvirtual_transport = smtp:[127.0.0.1]`;
  assertEquals((await said(elsewhere, virtual)).found, []);
});

Deno.test("check names a user that does not exist, which matters to root", async () => {
  const { code, found } = await said("mail_owner = nosuchuser");
  const expected = Deno.uid() === 0
    ? [`check: fatal: ${HERE}: mail_owner: no such user: "nosuchuser"`, EX.CONFIG]
    : [
      `check: warning: ${HERE}: mail_owner: no such user: "nosuchuser": it will not start as root`,
      EX.OK,
    ];
  assertEquals([...found, code], expected);
});

Deno.test("check warns root of an account that is not the mail system's alone, and exits with 0", async () => {
  for (const name of ["nobody", "daemon"]) {
    const { code, found } = await said(`mail_owner = ${name}`);
    const expected =
      `check: warning: ${HERE}: mail_owner: "${name}" is not the mail system's alone: ` +
      "whatever else runs as it may read and change the queue: " +
      "make an account (useradd --system --shell /usr/sbin/nologin postern) and name it here";
    assertEquals([...found, code], Deno.uid() === 0 ? [expected, EX.OK] : [EX.OK]);
  }
});

Deno.test("check asks each smtpd for itself, with its overrides", async () => {
  const override = "-o smtpd_relay_restrictions=permit_mynetworks";
  const { found } = await said(
    "",
    `127.0.0.1:2526 inet n - n - - smtpd ${override}\n203.0.113.9:25 inet n - n - - smtpd\n`,
  );
  assertEquals(
    found.map((line) => line.slice(0, 110)),
    [
      "check: fatal: DIR/master.cf, line 3: smtpd_relay_restrictions: in parameter smtpd_relay_restrictions or smtpd_r",
      'check: fatal: DIR/master.cf, line 4: 203.0.113.9:25: this host has no such address: "203.0.113.9"',
    ].map((line) => line.slice(0, 110)),
  );
});

Deno.test("check names lines of master.cf that start nothing", async () => {
  const { code, found } = await said(
    "",
    "cleanup unix n - n - 0 cleanup\nprecleanup unix n - n - 0 cleanup -o virtual_alias_maps=\n" +
      "bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\n" +
      "trace unix - - n - 0 bounce -o bounce_size_limit=1\nslow unix - - n - - smtp\n",
  );
  assertEquals(found, [
    "check: warning: DIR/master.cf, line 4: precleanup: has no effect: cleanup is one service here, that of line 3",
    "check: warning: DIR/master.cf, line 7: trace: has no effect: bounce is one service here, that of line 5",
  ]);
  assertEquals(code, EX.OK);
});

Deno.test("check looks at the certificate of each smtpd", async () => {
  const { found } = await said(
    "smtpd_tls_cert_file = none",
    "127.0.0.1:2526 inet n - n - - smtpd -o smtpd_tls_cert_file=/nonexistent\n" +
      "127.0.0.1:2527 inet n - n - - smtpd -o smtpd_tls_security_level=encrypt\n",
  );
  assertEquals(found, [
    "check: fatal: DIR/master.cf, line 3: smtpd_tls_cert_file: cannot read /nonexistent: no such file",
    "check: fatal: DIR/master.cf, line 4: smtpd_tls_security_level: encrypt needs smtpd_tls_chain_files",
  ]);
});

for (
  const [first, second, address] of [
    ["127.0.0.1:2525", "localhost:2525", "[127.0.0.1]:2525"],
    ["smtp", "25", "[::]:25"],
  ] as const
) {
  Deno.test(`check names ${second} beside ${first}, which is the same address`, async () => {
    const { code, found } = await said(
      "inet_protocols = all",
      `${first} inet n - n - - smtpd\n${second} inet n - n - - smtpd\n`,
      {},
      "",
    );
    const expected = `must not listen on ${address}, where the service of line 1 does`;
    assertEquals(found, [`check: fatal: DIR/master.cf, line 2: ${second}: ${expected}`]);
    assertEquals(code, EX.CONFIG);
  });
}

Deno.test("check reports all of it at once, by file and line", async () => {
  const { found } = await said(
    "inet_protocols = ipv9\nmynetworks = x\nnotify_classes = y\nvirtual_alias_maps = hash:/nonexistent",
    "a unix - - n - - nosuchd\n",
  );
  assertEquals(found.map((line) => /line [0-9]+: \w+/.exec(line)![0]), [
    "line 5: inet_protocols",
    "line 6: mynetworks",
    "line 7: notify_classes",
    "line 8: virtual_alias_maps",
    "line 3: a",
  ]);
});

Deno.test("check reads aliases in their own format", async () => {
  const { found } = await said(
    "alias_maps = texthash:$directory/a\nlocal_recipient_maps = proxy:$alias_maps",
    "",
    { a: "root: you\n" },
  );
  assertEquals(found, []);
});
