/** What `check` finds beyond single values: services, places, files that are no files. */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ConfigError, EX } from "../../shared/errors.ts";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { check } from "./check.ts";
import { HERE, said, SERVICES, WAITS } from "./test_check.ts";

Deno.test("check warns of a transport that nobody has built, and of mailboxes without a base", async () => {
  const master = "dovecot unix - n n - - pipe\nboxes unix - n n - - virtual\n";
  const domains = "relay_domains = a.example\nvirtual_mailbox_domains = b.example\n";
  const { code, found } = await said(
    `${domains}relay_transport = dovecot\nvirtual_transport = boxes`,
    master,
  );
  assertEquals(found.filter((line) => line.includes("must wait")), [
    "check: warning: DIR/main.cf: virtual_mailbox_base: is empty: mail for boxes must wait",
    "check: warning: DIR/main.cf, line 7: relay_transport: pipe is not built yet: mail for dovecot must wait",
  ]);
  assertEquals(code, EX.OK);
});

for (
  const [transport, told] of [
    ["smtp:[x]:99999", 'malformed destination "[x]:99999": mail for it must wait'],
    ["deliver:unix:../lmtp", 'malformed destination "unix:../lmtp": mail for it must wait'],
    ["deliver:unix:private/lmtp", undefined],
    ["smtp:[x]:587, y.example", undefined],
  ] as const
) {
  Deno.test(`check reads the nexthop of default_transport = ${transport}`, async () => {
    const lmtp = "deliver unix - - n - - lmtp\n";
    const { code, found } = await said(`default_transport = ${transport}`, lmtp);
    assertEquals(
      found.filter((line) => line.includes("default_transport")),
      told ? [`check: warning: ${HERE}: default_transport: ${told}`] : [],
    );
    assertEquals(code, EX.OK);
  });
}

Deno.test("check warns of a role that others cannot do without", async () => {
  const { code, found } = await said("", "", {}, SERVICES, ["trivial-rewrite", "qmgr"]);
  const expected = [
    "qmgr, which smtpd and smtp and cleanup cannot do without",
    "trivial-rewrite, which smtpd and cleanup cannot do without",
  ];
  assertEquals(
    found.toSorted(),
    expected.map((each) => `check: warning: DIR/master.cf: has no line for ${each}`),
  );
  assertEquals(code, EX.OK);
});

Deno.test("check names a log that is elsewhere than logs may be", async () => {
  const wrong = ["/etc/passwd", "/var/../etc/passwd", "/variable/log"];
  for (const file of [...wrong, "/var/log/no_such", "/opt/logs/mail"]) {
    const { found } = await said(
      `maillog_file_prefixes = /var, /opt/logs/\nmaillog_file = ${file}`,
    );
    const text =
      "maillog_file: is not below one of maillog_file_prefixes (/var, /opt/logs/): move it there, or add its directory";
    const told = found.filter((line) => line.includes("maillog_file_prefixes"));
    assertEquals(told, wrong.includes(file) ? [`check: fatal: DIR/main.cf, line 6: ${text}`] : []);
  }
});

Deno.test("check names a line that is not UTF-8", async () => {
  const io = fakeIo();
  try {
    const text = "# caf\xe9\nmyhostname = caf\xe9.example\n";
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    Deno.writeFileSync(`${io.configDirectory}/main.cf`, bytes);
    Deno.writeTextFileSync(`${io.configDirectory}/master.cf`, SERVICES);
    assertEquals(await check([], io), EX.CONFIG);
    assertMatch(io.written.err, /fatal: \S+\/main\.cf, line 2: is not UTF-8\n/);
  } finally {
    io.remove();
  }
});

Deno.test("check asks for a directory after -c, and waits for no FIFO", async () => {
  const io = fakeIo();
  try {
    assertThrows(
      () => check(["-c", ""], io),
      ConfigError,
      "must be followed by a directory",
    );
    const fifo = `${io.configDirectory}/fifo`;
    new Deno.Command("mkfifo", { args: [fifo] }).outputSync();
    const { found } = await said(`transport_maps = hash:${fifo}`);
    assertEquals(found, [
      `check: warning: ${HERE}: transport_maps: ${fifo}: is not a regular file: ${WAITS}`,
    ]);
    Deno.removeSync(`${io.configDirectory}/main.cf`);
    Deno.renameSync(fifo, `${io.configDirectory}/main.cf`);
    assertEquals(await check([], io), EX.CONFIG);
    assertMatch(io.written.err, /main\.cf: cannot be read: is not a regular file/);
  } finally {
    io.remove();
  }
});
