import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { check } from "./check.ts";
import type { CommandIo } from "./io.ts";
import { postconf } from "./postconf.ts";

const MASTER = `smtp      inet  n       -       y       -       -       smtpd
  -o smtpd_banner=$mail_name -o { mail_name = a b  c }
pickup    unix  n       -       n       60?     1       pickup
127.0.0.1:2525 inet n - - - - smtpd
averyveryverylonglongname unix - n n 60? 1 pipe
  flags=DR user=vmail argv=/bin/x -f {  sender with space } \${recipient}
`;

async function run(
  command: (args: string[], io: CommandIo) => Promise<number>,
  args: string[],
  main: string,
  master = MASTER,
): Promise<{ code: number; out: string; err: string }> {
  const directory = await Deno.makeTempDir();
  let out = "", err = "";
  try {
    await Deno.writeTextFile(join(directory, "main.cf"), main);
    await Deno.writeTextFile(join(directory, "master.cf"), master);
    const code = await command(["-c", directory, ...args], {
      out: (text) => void (out += text),
      outBytes: () => {},
      err: (text) => void (err += text),
      env: () => undefined,
      facts: { hostname: "mx.example.com", repository: "/srv/clone", version: "1.2.3" },
    });
    const plain = (text: string) => text.replaceAll(directory, "DIR");
    return { code, out: plain(out), err: plain(err) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const MAIN = `smtpd_banner = $myhostname   ESMTP
  $mail_name
mail_name=X
message_size_limit = $mine
mine = 5
relayhost =
`;

Deno.test("postconf -n prints what main.cf sets, sorted, on one line each", async () => {
  assertEquals(await run(postconf, ["-n"], MAIN), {
    code: 0,
    out: "mail_name = X\nmessage_size_limit = $mine\nmine = 5\nrelayhost =\n" +
      "smtpd_banner = $myhostname ESMTP $mail_name\n",
    err: "",
  });
});

Deno.test("postconf NAME prints in the order asked, -h the value alone, -x expanded", async () => {
  const names = ["relayhost", "message_size_limit", "mail_name"];
  assertEquals(
    (await run(postconf, names, MAIN)).out,
    "relayhost =\nmessage_size_limit = $mine\nmail_name = X\n",
  );
  assertEquals((await run(postconf, ["-h", ...names], MAIN)).out, "\n$mine\nX\n");
  assertEquals((await run(postconf, ["-hx", ...names], MAIN)).out, "\n5\nX\n");
  assertEquals(
    (await run(postconf, ["-H", ...names], MAIN)).out,
    "relayhost\nmessage_size_limit\nmail_name\n",
  );
});

Deno.test("postconf -d prints defaults, and what the host decides", async () => {
  const names = ["mail_name", "message_size_limit", "myhostname", "mail_version", "myorigin"];
  assertEquals(
    (await run(postconf, ["-d", ...names], MAIN)).out,
    "mail_name = Postern\nmessage_size_limit = 10240000\nmyhostname = mx.example.com\n" +
      "mail_version = 1.2.3\nmyorigin = $myhostname\n",
  );
});

Deno.test("postconf prints everything, sorted", async () => {
  const { out } = await run(postconf, [], MAIN);
  const names = out.trimEnd().split("\n").map((line) => line.split(" =")[0]!);
  assertEquals(names, [...names].sort());
  assertMatch(out, /^mine = 5$/m);
  assertMatch(out, /^message_size_limit = \$mine$/m);
  assertMatch(out, /^queue_run_delay = 300s$/m);
});

Deno.test("postconf warns of an unknown name, and knows those of transports", async () => {
  const { code, out, err } = await run(
    postconf,
    ["nosuch", "__proto__", "pickup_destination_rate_delay"],
    MAIN,
  );
  assertEquals(code, 0);
  assertEquals(
    err,
    "postconf: warning: nosuch: unknown parameter\n" +
      "postconf: warning: __proto__: unknown parameter\n",
  );
  assertEquals(out, "pickup_destination_rate_delay = $default_destination_rate_delay\n");
});

Deno.test("postconf reports problems of what it prints to standard error", async () => {
  const main = "relay_host = a\nmessage_size_limit = x\n";
  const all = await run(postconf, ["-n"], main);
  assertEquals(all.out, "message_size_limit = x\n");
  assertEquals(
    all.err,
    "postconf: warning: DIR/main.cf, line 1: relay_host: unknown parameter, it has no effect: " +
      "is relayhost meant?\n" +
      'postconf: error: DIR/main.cf, line 2: message_size_limit: must be a whole number: is "x"\n',
  );
  assertEquals((await run(postconf, ["-h", "relayhost"], main)).err, "");
});

Deno.test("postconf -M aligns the columns of master.cf as Postfix does", async () => {
  assertEquals(
    (await run(postconf, ["-M"], "")).out,
    "smtp       inet  n       -       y       -       -       smtpd -o smtpd_banner=$mail_name " +
      "-o {mail_name=a b  c}\n" +
      "pickup     unix  n       -       n       60?     1       pickup\n" +
      "127.0.0.1:2525 inet n    -       -       -       -       smtpd\n" +
      "averyveryverylonglongname unix - n n     60?     1       pipe flags=DR user=vmail " +
      "argv=/bin/x -f {sender with space} ${recipient}\n",
  );
});

Deno.test("postconf -M -f folds, and takes names of services", async () => {
  assertEquals(
    await run(postconf, ["-Mf", "averyveryverylonglongname", "smtp/inet", "x"], ""),
    {
      code: 0,
      out: "smtp       inet  n       -       y       -       -       smtpd\n" +
        "    -o smtpd_banner=$mail_name\n" +
        "    -o {mail_name=a b  c}\n" +
        "averyveryverylonglongname unix - n n     60?     1       pipe flags=DR\n" +
        "    user=vmail argv=/bin/x -f {sender with space} ${recipient}\n",
      err:
        "postconf: warning: DIR/master.cf, line 5: averyveryverylonglongname: pipe is not built " +
        'yet: the service is not started\npostconf: warning: unmatched request: "x"\n',
    },
  );
});

for (
  const [asked, names] of [
    [["*/inet"], ["smtp", "127.0.0.1:2525"]],
    [["*/unix"], ["pickup", "averyveryverylonglongname"]],
    [["pickup/*", "smtp"], ["smtp", "pickup"]],
    [["127.0.0.1:2525/inet"], ["127.0.0.1:2525"]],
    [["smtp/unix"], []],
  ] as const
) {
  Deno.test(`postconf -M ${asked.join(" ")} prints those services in the order of the file`, async () => {
    const { out } = await run(postconf, ["-M", ...asked], "");
    assertEquals(out.split("\n").map((line) => line.split(" ")[0]).filter(Boolean), [...names]);
  });
}

Deno.test("postconf -Mf takes -o for an argument where arguments have begun", async () => {
  const master = "x unix - n n - - pipe -v -o a=b flags=D argv=/x -o y\n";
  assertEquals(
    (await run(postconf, ["-Mf"], "", master)).out,
    "x          unix  -       n       n       -       -       pipe -v\n" +
      "    -o a=b\n    flags=D argv=/x -o y\n",
  );
});

Deno.test("postconf -f prints lines of up to 80 characters", async () => {
  for (
    const [length, folded] of [[80, "\n    a"], [81, "\n    " + "x".repeat(61) + " a"]] as const
  ) {
    const main = `relay_domains = bcd ${"x".repeat(length - 20)} a`;
    const out = main.slice(0, folded.length > 10 ? 19 : length) + folded;
    assertEquals((await run(postconf, ["-f", "relay_domains"], main)).out, `${out}\n`);
  }
});

Deno.test("postconf -f folds values without names, too", async () => {
  const main = `relay_domains = ${"a.example ".repeat(10)}`;
  assertEquals(
    (await run(postconf, ["-fh", "relay_domains"], main)).out,
    "a.example ".repeat(8).trim() + "\n    a.example a.example\n",
  );
});

Deno.test("postconf exits with EX_CONFIG when lines cannot be read, and prints the others", async () => {
  const { code, out, err } = await run(postconf, ["-h", "relayhost"], "foo\nrelayhost = a\n");
  assertEquals([code, out], [78, "a\n"]);
  assertMatch(err, /^postconf: error: DIR\/main.cf, line 1: must be "name = value"/);
  const master = "smtp inet n\npickup unix n - n 60 1 pickup\n";
  assertEquals((await run(postconf, ["-M", "pickup/unix"], "", master)).code, 78);
});

Deno.test("postconf -x says what cannot be expanded wherever it stands, and exits with EX_CONFIG", async () => {
  const main = "relayhost = $a\na = $b\nb = $a\nmyorigin = $\nmydomain = x\n";
  const { code, out, err } = await run(postconf, ["-hx", "relayhost", "mydomain"], main);
  assertEquals([code, out], [78, "\nx\n"]);
  assertEquals(
    err,
    "postconf: error: DIR/main.cf, line 3: b: must not refer to itself: a -> b -> a\n",
  );
  assertEquals((await run(postconf, ["-h", "relayhost"], main)).code, 0);
});

Deno.test("postconf refuses options that it does not have", async () => {
  const { code, err } = await run(postconf, ["-z"], "");
  assertEquals(code, 64);
  assertMatch(err, /^postconf: no such option: -z\nusage: /);
});

Deno.test("check says everything at once, and that the system can start", async () => {
  assertEquals(
    await run(
      check,
      [],
      "biff = no\nmail_owner = mail\nqueue_directory = $config_directory/queue\n",
      "local unix - n n - - local",
    ),
    {
      code: 0,
      out: "DIR: can be used: 0 errors, 4 warnings\n",
      err:
        "check: warning: DIR/main.cf: local_transport: local is not built yet: mail for local must wait\n" +
        "check: warning: DIR/main.cf: default_transport: master.cf has no service smtp: mail for it must wait\n" +
        "check: warning: DIR/main.cf, line 1: biff: is a parameter of Postfix that Postern does " +
        "not support yet: it has no effect\n" +
        "check: warning: DIR/master.cf, line 1: local: local is not built yet: the service is not " +
        "started\n",
    },
  );
});

Deno.test("postconf NAME=VALUE is told what -e is: it changes nothing", async () => {
  const edit = await run(postconf, ["-e", "mail_name=Y"], MAIN);
  assertEquals([edit.code, edit.out], [64, ""]);
  assertMatch(edit.err, /^postconf: no such option: -e\nusage: /);
  for (const words of [["mail_name=Y"], ["mail_name = Y"], ["mail_name", "=Y"], ["-n", "a=b"]]) {
    assertEquals(await run(postconf, words, MAIN), edit);
  }
});

Deno.test("check exits with EX_CONFIG when the system cannot start", async () => {
  const { code, out, err } = await run(
    check,
    [],
    "message_size_limit = x\nfoo\nmail_owner = mail\nqueue_directory = $config_directory/queue",
    "smtp inet",
  );
  assertEquals(code, 78);
  assertEquals(out, "DIR: cannot be used: 3 errors, 2 warnings\n");
  assertEquals(err.match(/^check: fatal: DIR\/ma/gm)?.length, 3);
});
