import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import fc from "fast-check";
import { ConfigError } from "../errors.ts";
import { int, list, perTransport, text } from "../parameters/declare.ts";
import { Configuration, loadConfiguration } from "./configuration.ts";
import type { Facts } from "./facts.ts";
import { parseMainCf } from "./main_cf.ts";
import { parseMasterCf } from "./master_cf.ts";

const facts: Facts = { hostname: "mx.example.com", repository: "/srv/clone", version: "1.2.3" };
const SMTPD = "smtp inet n - n - - smtpd";

function configuration(main: string, master = SMTPD, host: Partial<Facts> = {}): Configuration {
  return new Configuration(
    "/etc/postern",
    { ...facts, ...host },
    parseMainCf(main, "main.cf"),
    parseMasterCf(master, "master.cf"),
  );
}

function messages(main: string, master?: string): string[] {
  return configuration(main, master).problems.map(({ severity, message }) =>
    `${severity}: ${message}`
  );
}

Deno.test("value() is main.cf's, else the default, expanded", () => {
  const { problems } = configuration("");
  assertEquals(problems, []);
  const used = configuration("myhostname = a.example\nmail_name = $myhostname at $mydomain");
  assertEquals(used.value("mail_name"), "a.example at example");
  assertEquals(used.value("myorigin"), "a.example");
  assertEquals(used.value("no_such_name"), "");
});

for (
  const [system, main, host, domain] of [
    ["mx.example.com", "", "mx.example.com", "example.com"],
    ["mx", "", "mx.localdomain", "localdomain"],
    ["", "", "localhost.localdomain", "localdomain"],
    ["mx", "mydomain = example.org", "mx.example.org", "example.org"],
    ["mx", "myhostname = mail.example.net", "mail.example.net", "example.net"],
    ["mx", "myhostname = mail", "mail", "localdomain"],
    ["mx.a.example", "mydomain = b.example\nmyhostname = m.$mydomain", "m.b.example", "b.example"],
  ] as const
) {
  Deno.test(`a host called "${system}" with "${main}" is ${host} in ${domain}`, () => {
    const used = configuration(main, SMTPD, { hostname: system });
    assertEquals([used.value("myhostname"), used.value("mydomain")], [host, domain]);
  });
}

Deno.test("a myhostname made of its own domain is reported, not run in a circle", () => {
  assertMatch(
    messages("myhostname = mail.$mydomain").join(),
    /^fatal: main.cf, line 1: .*must not refer to itself: myhostname -> mydomain -> /,
  );
});

Deno.test("value() knows the directory, the clone and the version, whatever main.cf says", () => {
  const used = configuration("queue_directory = $repository/var\nconfig_directory = /elsewhere");
  assertEquals(used.value("queue_directory"), "/srv/clone/var");
  assertEquals(used.value("config_directory"), "/etc/postern");
  assertEquals(used.value("mail_version"), "1.2.3");
  assertEquals(used.problems.map(({ message }) => message), [
    "main.cf, line 2: config_directory: is computed: setting it has no effect",
  ]);
});

Deno.test("value() keeps a dollar sign that is in a path", () => {
  const used = configuration("queue_directory = $repository", SMTPD, { repository: "/a$b" });
  assertEquals(used.value("queue_directory"), "/a$b");
});

Deno.test("value() applies a service's overrides to it, and to what refers to it, alone", () => {
  const used = configuration(
    "mail_name = N\nmyorigin = $mail_name.example",
    `${SMTPD}\nsubmission inet n - n - - smtpd -o mail_name=S -o syslog_name=x/$service_name`,
  );
  const [smtp, submission] = used.services;
  assertEquals(used.value("myorigin", smtp), "N.example");
  assertEquals(used.value("myorigin", submission), "S.example");
  assertEquals(used.value("syslog_name", submission), "x/submission");
  assertEquals(used.value("myorigin"), "N.example");
});

Deno.test("value() gives each service its own name, also where main.cf asks for it", () => {
  const used = configuration("syslog_name = mail/$service_name", `${SMTPD}\nx unix - - n - - smtp`);
  assertEquals(used.services.map((each) => used.value("syslog_name", each)), [
    "mail/smtp",
    "mail/x",
  ]);
  assertEquals(used.problems, []);
});

const declared = {
  name: text("mail_name", "Postern", { doc: "A name." }),
  places: list("mydestination", "", { doc: "Places." }),
  limit: perTransport(
    int("default_destination_concurrency_limit", "20", { doc: "A limit." }),
    "_destination_concurrency_limit",
  ),
};

Deno.test("texts() is by name and expanded, with a map for what each transport may set", () => {
  const used = configuration(
    "mydestination = $mail_name, b\nsmtp_destination_concurrency_limit = $foo\nfoo = 3",
    `${SMTPD}\nsmtp unix - - n - - smtp\nslow unix - - n - - smtp\n` +
      "qmgr unix n - n - 1 qmgr -o slow_destination_concurrency_limit=1",
  );
  assertEquals(used.problems, []);
  assertEquals(used.texts(declared), {
    mail_name: "Postern",
    mydestination: "Postern, b",
    default_destination_concurrency_limit: '{"":"20","smtp":"3"}',
  });
  const values = used.typed(declared, used.services.at(-1));
  assertEquals(["smtp", "slow", "relay"].map(values.limit), [3, 1, 20]);
});

Deno.test("a transport's setting is its default's when unset", () => {
  const used = configuration("default_destination_concurrency_limit = 7");
  assertEquals(used.value("smtp_destination_concurrency_limit"), "7");
});

Deno.test("typed() throws where a value is bad", () => {
  assertThrows(
    () => configuration("default_destination_concurrency_limit = x").typed(declared),
    ConfigError,
    'default_destination_concurrency_limit: must be a whole number: is "x"',
  );
});

for (
  const [reason, main, expected] of [
    [
      "an unknown name",
      "\nfrobnicate = 1",
      "warning: main.cf, line 2: frobnicate: unknown parameter, it has no effect",
    ],
    [
      "a misspelt name",
      "mesage_size_limit = 1",
      "warning: main.cf, line 1: mesage_size_limit: unknown parameter, it has no effect: " +
      "is message_size_limit meant?",
    ],
    [
      "a parameter that only Postfix has",
      "biff = no",
      "warning: main.cf, line 1: biff: is a parameter of Postfix that Postern does not support " +
      "yet: it has no effect",
    ],
    [
      "a bad value",
      "message_size_limit = many",
      'fatal: main.cf, line 1: message_size_limit: must be a whole number: is "many"',
    ],
    [
      "a bad value that comes from another name",
      "n = many\nmessage_size_limit = $n",
      'fatal: main.cf, line 2: message_size_limit: must be a whole number: is "many"',
    ],
    [
      "a bad default for one transport",
      "smtp_destination_concurrency_limit = x",
      'fatal: main.cf, line 1: smtp_destination_concurrency_limit: must be a whole number: is "x"',
    ],
    [
      "a text that cannot be expanded",
      "message_size_limit = ${x",
      'fatal: main.cf, line 1: message_size_limit: must close what "{" opens: "${x"',
    ],
    [
      "an undefined name",
      "smtpd_banner = $nowhere",
      "warning: main.cf, line 1: smtpd_banner: $nowhere is undefined and stands for nothing",
    ],
    [
      "a level that is none",
      "compatibility_level = new",
      "fatal: main.cf, line 1: compatibility_level: must be a compatibility level such as 3.6: " +
      'is "new"',
    ],
    [
      "root as the mail owner",
      "mail_owner = root",
      "fatal: main.cf, line 1: mail_owner: must not be root",
    ],
    [
      "a transport that master.cf does not have",
      "slow_destination_concurrency_limit = 1",
      "warning: main.cf, line 1: slow_destination_concurrency_limit: unknown parameter, it has no " +
      "effect",
    ],
    [
      "__proto__",
      "__proto__ = 1",
      "warning: main.cf, line 1: __proto__: unknown parameter, it has no effect",
    ],
    [
      "constructor",
      "constructor = 1",
      "warning: main.cf, line 1: constructor: unknown parameter, it has no effect",
    ],
  ] as const
) {
  Deno.test(`problems name ${reason}`, () => {
    // A default may depend on it: its error has the same line.
    const found = messages(main, `${SMTPD}\nsmtp unix - - n - - smtp`)
      .filter((each) => !each.includes("line 1: smtp_tls_security_level"));
    assertEquals(found, [expected]);
  });
}

for (
  const [reason, master, expected] of [
    [
      "an override with an unknown name",
      `${SMTPD}\n  -o frobnicate=1`,
      "warning: master.cf, line 1: frobnicate: unknown parameter, it has no effect",
    ],
    [
      "an override with a bad value",
      `${SMTPD} -o message_size_limit=x`,
      'fatal: master.cf, line 1: message_size_limit: must be a whole number: is "x"',
    ],
    [
      "a value that an override makes bad elsewhere",
      `${SMTPD} -o n=x`,
      'fatal: master.cf, line 1: message_size_limit: must be a whole number: is "x"',
    ],
    [
      "a daemon that is not built yet",
      `${SMTPD}\nlocal unix - n n - - local`,
      "warning: master.cf, line 2: local: local is not built yet: the service is not started",
    ],
    [
      "a daemon that nobody has",
      `smtp inet n - n - - smptd`,
      "fatal: master.cf, line 1: smtp: no such daemon: smptd",
    ],
    [
      "a port that is none",
      `127.0.0.1:http inet n - n - - smtpd`,
      "fatal: master.cf, line 1: 127.0.0.1:http: must be a port, host:port or [host]:port; " +
      "ports are numbers or smtp, mail, submission, submissions, smtps, lmtp",
    ],
    [
      "arguments that nobody reads",
      `${SMTPD} mail_name=x {a b}`,
      'fatal: master.cf, line 1: smtp: smtpd takes no arguments but -o name=value: is "mail_name=x a b"',
    ],
    [
      "a host by its name",
      `mx.example:smtp inet n - n - - smtpd`,
      "fatal: master.cf, line 1: mx.example:smtp: must have an address before the port: " +
      "names are not looked up",
    ],
    [
      "a daemon that does not serve the network",
      "25 inet n - n - - qmgr",
      "fatal: master.cf, line 1: 25: qmgr does not serve inet connections, only smtpd does: " +
      "must be unix",
    ],
  ] as const
) {
  Deno.test(`problems name ${reason}`, () => {
    assertEquals(messages("n = 5\nmessage_size_limit = $n", master), [expected]);
  });
}

Deno.test("problems are all there at once, by file and line", () => {
  const found = messages(
    "x\nmessage_size_limit = y\nbiff = no",
    "a unix\nlocal unix - n n - - local",
  );
  assertEquals(
    found.map((message) => message.split(": ").slice(0, 2).join(": ")),
    [
      "fatal: main.cf, line 1",
      "fatal: main.cf, line 2",
      "warning: main.cf, line 3",
      "fatal: master.cf, line 1",
      "warning: master.cf, line 2",
    ],
  );
});

Deno.test("a name that some text refers to, or that is a restriction class, is the user's own", () => {
  assertEquals(
    configuration(
      "mine = 5\nmessage_size_limit = $mine\ngrey = permit\nsmtpd_restriction_classes = grey",
      `${SMTPD} -o other=N -o mail_name=$other`,
    ).problems.filter(({ parameter }) => ["mine", "grey", "other"].includes(parameter)),
    [],
  );
});

for (const name of ["25", "smtp", "127.0.0.1:2525", "[::1]:smtp", "localhost:submissions"]) {
  Deno.test(`an inet service may be called ${name}`, () => {
    assertEquals(messages("", `${name} inet n - n - - smtpd`), []);
  });
}

Deno.test("loadConfiguration() reports files that cannot be read, and throws nothing", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/main.cf`, "mail_name = x\n");
    const used = loadConfiguration(directory, facts, "a hint");
    assertEquals(used.value("mail_name"), "x");
    assertEquals(
      used.problems.map(({ severity, file, text }) => [severity, file, text.slice(0, 14)]),
      [
        ["warning", directory, "a hint"],
        ["fatal", `${directory}/master.cf`, "cannot be read"],
      ],
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the configuration that ships has no problems, and needs no more than a clone", () => {
  const config = fromFileUrl(new URL("../../config", import.meta.url));
  const used = loadConfiguration(config, { ...facts, hostname: "here" });
  assertEquals(used.problems.map(({ message }) => message), []);
  assertEquals(used.value("queue_directory"), "/srv/clone/var/queue");
  assertEquals(used.value("mydestination"), "here.localdomain, localhost");
  assertEquals(used.value("virtual_mailbox_maps").split(",")[0], `texthash:${config}/mailboxes`);
  assertEquals(
    used.services.filter(({ type }) => type === "inet").map(({ name }) => name),
    ["127.0.0.1:2525"],
  );
});

Deno.test("a Configuration takes any bytes without failing", () => {
  const name = fc.constantFrom(
    "myhostname",
    "mydomain",
    "__proto__",
    "constructor",
    "x",
    "smtp_destination_recipient_limit",
  );
  const line = fc.tuple(name, fc.string({ maxLength: 20 })).map(([name, text]) =>
    `${name}=${text}`
  );
  const file = fc.oneof(
    fc.uint8Array({ maxLength: 100 }).map((bytes) => new TextDecoder().decode(bytes)),
    fc.array(line, { maxLength: 5 }).map((lines) => lines.join("\n")),
  );
  fc.assert(
    fc.property(file, file, (main, master) => {
      const used = configuration(main, `${SMTPD} -o {${master.replaceAll("\n", " ")}}`);
      assertEquals(typeof used.value("mydomain", used.services[0]), "string");
    }),
    { numRuns: 60 },
  );
});

Deno.test("who may flush: everybody or the owner, and a list of users is named as not supported", () => {
  for (const text of ["static:anyone", "static:all", "root"]) {
    assertEquals(messages(`authorized_flush_users = ${text}`), []);
  }
  const [text, ...more] = messages("authorized_flush_users = !www, static:all");
  assertEquals(more, []);
  assertMatch(
    text!,
    /^warning: main.cf, line 1: authorized_flush_users: lists of users are not supported: root and /,
  );
});
