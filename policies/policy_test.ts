/** What becomes of rows: flags, destinations, and what people are shown. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError } from "../shared/errors.ts";
import { logServiceOf, processOfLog, socketPath } from "../shared/layout.ts";
import { bwrapArguments, disguised, type Runtime } from "./bwrap.ts";
import { denoFlags, V8_FLAGS } from "./deno_flags.ts";
import { answersOf, grantOf, type Host, nameServersOf } from "./grant.ts";
import { policies, policyOf } from "./mod.ts";
import { type Settings, smtpDestinations } from "./settings.ts";
import { asMermaid, asTable, supervisorText } from "./show.ts";

const host: Host = {
  root: true,
  mailOwner: { name: "postfix", uid: 100, gid: 101 },
  nameServers: ["192.0.2.53", "2001:db8::53"],
};

const runtime: Runtime = {
  deno: "/opt/deno/deno",
  cache: "/cache",
  source: "/source",
  libraries: ["/usr/lib"],
  setpriv: undefined,
};

function settings(values: Record<string, string> = {}): Settings {
  const all: Record<string, string> = {
    queue_directory: "/q",
    smtp_allowed_ports: "25 587",
    inet_protocols: "ipv4",
    ...values,
  };
  return {
    value: (name) => all[name] ?? "",
    services: [{ name: "smtp", type: "unix", command: "smtp" }],
    logsToService: false,
    syslogName: () => "postfix",
    tables: new Map(),
    readTable: () => "example.com smtp:[192.0.2.7]:2525\n",
  };
}

function grant(role: string, values: Record<string, string> = {}) {
  return grantOf(policyOf(role)!, role, settings(values), host);
}

Deno.test("denoFlags() grants cleanup two sockets and nothing else", () => {
  assertEquals(denoFlags(grant("cleanup")).filter((flag) => flag.startsWith("--allow")), [
    "--allow-net=unix:/q/private/intake/s,unix:/q/private/rewrite/s",
    "--allow-read=/q/private/intake/s,/q/private/rewrite/s",
    "--allow-write=/q/private/intake/s,/q/private/rewrite/s",
  ]);
});

Deno.test("grantOf() lets each role log in its own names alone, and logsOf() says in which", () => {
  const lines = [
    { name: "smtp", type: "inet", command: "smtpd" },
    { name: "submission", type: "inet", command: "smtpd" },
    { name: "smtp", type: "unix", command: "smtp" },
    { name: "local", type: "unix", command: "lmtp" },
  ];
  const logging: Settings = {
    ...settings(),
    services: lines,
    logsToService: true,
    syslogName: (line) => line?.name === "submission" ? "postfix/submission" : "postfix",
  };
  const logs = (role: string, service = role) =>
    Object.keys(grantOf(policyOf(role)!, service, logging, host).sockets)
      .flatMap((name) => processOfLog(name) ?? []);
  assertEquals(logs("cleanup"), ["postfix/cleanup"]);
  assertEquals(logs("qmgr"), ["postfix/qmgr", "postfix/error", "postfix/discard"]);
  assertEquals(logs("smtpd", "smtp"), ["postfix/smtpd"]);
  assertEquals(logs("smtpd", "submission"), ["postfix/submission/smtpd"]);
  assertEquals([logs("smtp"), logs("smtp", "local")], [["postfix/smtp"], ["postfix/lmtp"]]);
  assertEquals(logs("postlogd"), []);
  const answered = answersOf(policyOf("postlogd")!, "postlogd", logging);
  const programs =
    "master smtpd submission/smtpd pickup cleanup rewrite qmgr error discard smtp lmtp " +
    "bounce dns anvil showq";
  const named = programs.split(" ").map((name) => logServiceOf(`postfix/${name}`));
  assertEquals(answered, ["log", ...named]);
  assertEquals(new Set(answered.map((name) => socketPath("/q", name))).size, answered.length);
});

Deno.test("a log service is named after its process name, whatever is in it", () => {
  assertEquals(logServiceOf("postfix/smtpd"), "log+postfix+smtpd");
  for (const process of ["a/b", "a+b", "a=2Fb", "a%2Fb", "../..", "a, b\u00e9"]) {
    const name = logServiceOf(process);
    assertEquals([processOfLog(name), /[/,%]/.test(name)], [process, false]);
  }
  assertEquals([processOfLog("log"), processOfLog("smtp")], [undefined, undefined]);
});

Deno.test("smtpDestinations() allows the standard ports and those that routes name", () => {
  assertEquals(
    smtpDestinations(settings({
      relayhost: "[gw.example.com]:2526",
      transport_maps: "texthash:/etc/transport, inline:{ {a.test=lmtp:unix:/run/lmtp} }",
      default_transport: "smtp:[ipv6:2001:db8::1]:26",
    })),
    {
      hosts: [
        "[2001:db8::1]:26",
        "0.0.0.0/0:25",
        "0.0.0.0/0:587",
        "0.0.0.0/0:2525",
        "0.0.0.0/0:2526",
        "0.0.0.0/0:26",
      ],
      sockets: ["/run/lmtp"],
    },
  );
});

for (
  const [table, text, sockets, ports] of [
    ["texthash:/t", "# at 10:22, see unix:/run/docker.sock\na.test:23 smtp:b.test:2525", [], [
      2525,
    ]],
    ["proxy:hash:/t", "a.test\n  lmtp:unix:/run/a\n# b\nb.test\n\tsmtp:c:27", ["/run/a"], [27]],
    ["regexp:/t", "if /a:23/\n!/unix:\\/run.b :24/x smtp:b.test:2525\nendif", [], [2525]],
    ["unionmap:{ pcre:/t }", "#!a:23!\n!a:23! smtp:b.test:2525", [], []],
    ["unionmap:{ pcre:/t }", "%a:23% smtp:b.test:2525\n:bad:24", [], [2525]],
  ] as const
) {
  Deno.test(`smtpDestinations() finds what ${table} answers, nothing else in "${text}"`, () => {
    const named = { ...settings({ transport_maps: table }), readTable: () => text };
    assertEquals(smtpDestinations(named), {
      hosts: [25, 587, ...ports].map((port) => `0.0.0.0/0:${port}`),
      sockets: [...sockets],
    });
  });
}

Deno.test("grantOf() lets dns talk to the name servers alone", () => {
  assertEquals(
    grant("dns").hosts.filter((each) => !each.startsWith("0.0.0.0:") && !each.startsWith("[::]:")),
    ["192.0.2.53:53", "[2001:db8::53]:53"],
  );
});

Deno.test("nameServersOf() names servers only, not the ports that answers come to", () => {
  assertEquals(nameServersOf(settings(), host), ["192.0.2.53:53", "[2001:db8::53]:53"]);
  assertEquals(nameServersOf(settings({ dns_servers: "127.0.0.1:5353" }), host), [
    "127.0.0.1:5353",
  ]);
});

Deno.test("grantOf() runs virtual as the one owner of all mailboxes", () => {
  const { user, capabilities } = grant("virtual", {
    virtual_uid_maps: "static:5000",
    virtual_gid_maps: "static:5001",
  });
  assertEquals(user, { name: "5000", uid: 5000, gid: 5001, socketGroup: 101 });
  assertEquals(capabilities, []);
});

Deno.test("grantOf() leaves virtual what it needs to give mailboxes away, where a table names owners", () => {
  const { user, capabilities } = grant("virtual", { virtual_uid_maps: "hash:/etc/uids" });
  assertEquals(user, host.mailOwner);
  assertEquals(capabilities, ["chown", "dac_override", "fowner"]);
});

Deno.test("grantOf() runs virtual as mail_owner, without capabilities, where nothing names owners", () => {
  const { user, capabilities } = grant("virtual", { virtual_uid_maps: "" });
  assertEquals([user, capabilities], [host.mailOwner, []]);
});

Deno.test("grantOf() refuses root as the owner of mailboxes", () => {
  const root = { virtual_uid_maps: "static:0", virtual_gid_maps: "static:0" };
  assertThrows(() => grant("virtual", root), ConfigError, "must not be 0");
});

Deno.test("grantOf() says where syslog is to be reached instead of /dev/log, which Deno permits to nobody", () => {
  assertThrows(
    () => grant("postlogd", { syslog_socket: "/dev/log" }),
    ConfigError,
    "such as /run/systemd/journal/dev-log",
  );
  assertEquals(grant("postlogd", { syslog_socket: "/run/log" }).foreignSockets[0], "/run/log");
});

Deno.test("asTable() says in words what a role may do", () => {
  const row = policyOf("cleanup")!;
  assertEquals(
    asTable([{ row, grant: grant("cleanup") }], settings()),
    "cleanup: it alone parses message content\n" +
      "  answers  cleanup\n" +
      "  calls    rewrite, intake\n" +
      "  network  none\n" +
      "  user     postfix\n" +
      "  starts   no programs\n",
  );
});

Deno.test("asTable() names what a role may ask of its host", () => {
  const text = asTable([{ row: policyOf("qmgr")!, grant: grant("qmgr") }], settings());
  assertStringIncludes(text, "\n  asks     statfs of the host\n");
});

Deno.test("supervisorText() says that it holds everything, and calls of libc", () => {
  assertStringIncludes(
    supervisorText(),
    "\n  holds    everything that the user who starts it may, libc's",
  );
});

Deno.test("asMermaid() draws who may talk to whom", () => {
  const shown = policies.map((row) => ({ row, grant: grant(row.role) }));
  const drawing = asMermaid(shown, settings());
  assertStringIncludes(drawing, "  cleanup -->|intake| qmgr\n");
  assertStringIncludes(drawing, "  qmgr --> smtp\n");
  assertEquals(drawing.includes("cleanup --> smtp"), false);
});

Deno.test("bwrapArguments() shows a server's socket without its neighbours in a directory of everybody's", () => {
  const shown = (path: string) => {
    const granted = grant("smtp", { default_transport: `lmtp:unix:${path}` });
    const words = bwrapArguments(granted, runtime);
    return words.filter((_, at) => words[at - 1] === "--ro-bind-try");
  };
  const [alone, directory] = [shown("/run/lmtp"), shown("/run/dovecot/lmtp")];
  assertEquals([alone.includes("/run/lmtp"), alone.includes("/run")], [true, false]);
  assertEquals(directory.includes("/run/dovecot"), true);
});

Deno.test("bwrapArguments() shows a server's socket below queue_directory without the other services", () => {
  const queue = Deno.makeTempDirSync();
  for (const each of ["private/dns", "private/rewrite", "private/intake", "queue"]) {
    Deno.mkdirSync(`${queue}/${each}`, { recursive: true });
  }
  const shown = (path: string) => {
    const values = { queue_directory: queue, default_transport: `lmtp:unix:${path}` };
    const words = bwrapArguments(grant("smtp", values), runtime);
    const of = (option: string) => words.filter((_, at) => words[at - 1] === option);
    return { binds: of("--ro-bind-try"), covered: of("--tmpfs") };
  };
  const inPrivate = shown("private/lmtp"), inQueue = shown("lmtp");
  Deno.removeSync(queue, { recursive: true });
  assertEquals(inPrivate.binds.filter((path) => path === `${queue}/private`).length, 1);
  assertEquals(inPrivate.covered.toSorted(), [
    `${queue}/private/intake`,
    `${queue}/private/rewrite`,
  ]);
  assertEquals(inQueue.covered.toSorted(), [`${queue}/private`, `${queue}/queue`]);
});

Deno.test("bwrapArguments() shows postlogd the log alone, which it may not even read", () => {
  const granted = grant("postlogd", { maillog_file: "/data/log/maillog" });
  const words = bwrapArguments(granted, runtime);
  const shown = (option: string) => words.filter((_, at) => words[at - 1] === option);
  assertEquals(shown("--bind-try"), ["/data/log/maillog"]);
  assertEquals(shown("--ro-bind-try").filter((path) => path.startsWith("/data")), []);
  assertEquals(granted.reads, []);
});

Deno.test("V8's flags give a role nothing that Deno does not look at, such as gc(), which writes any file", async () => {
  const args = ["eval", V8_FLAGS, "console.log(typeof gc, typeof version)"];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args }).output();
  assertEquals(new TextDecoder().decode(stdout), "undefined undefined\n");
});

Deno.test("disguised() spells the runtime's path so that it is not rewritten", () => {
  assertEquals(disguised("/opt/deno/deno"), "/opt/deno/./deno");
});
