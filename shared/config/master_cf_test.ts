import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { assertQuick, near } from "../../tests/support/hostile.ts";
import { parseMasterCf } from "./master_cf.ts";

function only(text: string) {
  const { services, problems } = parseMasterCf(text, "master.cf");
  assertEquals(problems, []);
  assertEquals(services.length, 1);
  return services[0]!;
}

function messages(text: string): string[] {
  return parseMasterCf(text, "master.cf").problems.map(({ severity, message }) =>
    `${severity}: ${message}`
  );
}

Deno.test("parseMasterCf() reads every column", () => {
  const entry = only("# head\nlocal unix y n y 60? 7 local");
  const { name, type, unprivileged, chroot, wakeup, wakeupIfUsed, maxproc, command, line } = entry;
  assertEquals(
    { name, type, unprivileged, chroot, wakeup, wakeupIfUsed, maxproc, command, line },
    {
      name: "local",
      type: "unix",
      unprivileged: false,
      chroot: true,
      wakeup: 60,
      wakeupIfUsed: true,
      maxproc: 7,
      command: "local",
      line: 2,
    },
  );
  assertEquals(entry.private, true);
});

Deno.test("parseMasterCf() knows what - stands for", () => {
  const entry = only("rewrite unix - - - - - trivial-rewrite");
  assertEquals(
    [entry.private, entry.unprivileged, entry.chroot, entry.wakeup, entry.maxproc],
    [true, true, false, 0, undefined],
  );
});

for (const type of ["inet", "unix", "unix-dgram", "fifo", "pass"] as const) {
  Deno.test(`parseMasterCf() knows the type ${type}`, () => {
    assertEquals(only(`x ${type} n - n - - smtpd`).type, type);
  });
}

Deno.test("parseMasterCf() takes overrides in all their forms, and the last of a name", () => {
  const entry = only(`127.0.0.1:25 inet n - n - - smtpd
    -o a=1 -ob=2 -o { c = 3  4 } -v -o { d=${"${x?{y}}"} } -o e=
    -o a=5 -D { -o f=6 7 } {-o g = 8} -o{ h = 9 }`);
  assertEquals(Object.fromEntries(entry.overrides), {
    a: "5",
    b: "2",
    c: "3  4",
    d: "${x?{y}}",
    e: "",
    f: "6 7",
    g: "8",
    h: "9",
  });
  assertEquals(entry.arguments, []);
});

Deno.test("parseMasterCf() passes over a first line that continues nothing, as Postfix does", () => {
  const text = "  smtp inet n - n - - smtpd\nx unix - - n - - smtp\n";
  assertEquals(parseMasterCf(text, "master.cf").services.map(({ name }) => name), ["x"]);
  assertEquals(messages(text).map((message) => message.slice(0, 73)), [
    "warning: master.cf, line 1: must not start with white space, there is no ",
  ]);
});

Deno.test("parseMasterCf() does not split between braces inside a word", () => {
  const entry = only("x unix - n n - - smtp -o a={b  c} -o b=d} e{ f }g");
  assertEquals(Object.fromEntries(entry.overrides), { a: "{b  c}", b: "d}" });
  assertEquals(entry.arguments, ["e{ f }g"]);
});

for (
  const [written, shown] of [
    ["-oa=b -o{ a = b } -o{a=b  c}", "-o a=b -o a=b -o {a=b  c}"],
    ["-o {a=b} -v -o { a = b c }", "-o a=b -v -o {a=b c}"],
    ["-o a={b c} {-o a=b} { -o a = b c }", "-o {a={b c}} -o a=b -o {a=b c}"],
    ["user=x argv=/x -oa=b { c  d } {e} {}", "user=x argv=/x -oa=b {c  d} e {}"],
  ] as const
) {
  Deno.test(`parseMasterCf() has ${written} as Postfix shows it`, () => {
    assertEquals(only(`x unix - n n - - pipe ${written}`).columns.slice(8).join(" "), shown);
  });
}

Deno.test("parseMasterCf() keeps the arguments of a command, braces off", () => {
  const entry = only(
    "dropper unix - n n - 10 pipe -o a=1 flags=DRXhu user=vmail\n  argv=/bin/x -f { a  b } -- ${recipient}",
  );
  assertEquals(
    entry.arguments,
    ["flags=DRXhu", "user=vmail", "argv=/bin/x", "-f", "a  b", "--", "${recipient}"],
  );
});

Deno.test("parseMasterCf() lets two types share a name, and the last of one type and name count", () => {
  assertEquals(messages("smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp"), []);
  const twice = "a unix - - n - - smtp\na unix - - n - 5 smtp";
  assertEquals(messages(twice), [
    "warning: master.cf, line 2: a: replaces the service of line 1, a/unix is there twice",
  ]);
  assertEquals(parseMasterCf(twice, "").services.map(({ maxproc }) => maxproc), [5]);
});

for (
  const [line, message] of [
    [
      "smtp inet n - n - -",
      "smtp: must have 8 columns: service type private unpriv chroot wakeup maxproc command; has 7",
    ],
    [
      "smtp tcp n - n - - smtpd",
      'smtp: type must be one of inet, unix, unix-dgram, fifo, pass: is "tcp"',
    ],
    ["smtp inet x - n - - smtpd", 'smtp: private must be y, n or -: is "x"'],
    ["smtp inet n x n - - smtpd", 'smtp: unprivileged must be y, n or -: is "x"'],
    ["smtp inet n - x - - smtpd", 'smtp: chroot must be y, n or -: is "x"'],
    ["smtp inet n - n x - smtpd", 'smtp: wakeup must be a number or -: is "x"'],
    ["smtp inet n - n - -1 smtpd", 'smtp: maxproc must be a number or -: is "-1"'],
    ["smtp inet - - n - - smtpd", 'smtp: private must be n for an inet service: is "-"'],
    [
      "a unix n - n - - ../x",
      'a: command must be the name of a daemon, without a folder: is "../x"',
    ],
    ["a/b unix n - n - - x", "a/b: service must be a name of letters, digits and - _ . +"],
    [
      `${"a".repeat(65)} unix n - n - - x`,
      `${"a".repeat(65)}: service must be at most 64 characters long: has 65`,
    ],
    ["a unix n - n - - x -o", "a: -o must be followed by name=value"],
    ["a unix n - n - - x -o foo", 'a: -o must be "name = value", the = is missing: "foo"'],
    [
      "a unix n - n - - x -o foo = bar",
      'a: -o must be name=value without spaces, or { name = value }: is "foo ="',
    ],
    ["a unix n - n - - x -o { a = b", 'a: must have a } for each {: "{ a = b"'],
    ["a unix n - n - - x {a b}c", 'a: must have white space after }: "{a b}c"'],
  ] as const
) {
  Deno.test(`parseMasterCf() reports ${line}, and reads on`, () => {
    const { services } = parseMasterCf(`${line}\nqmgr unix n - n - 1 qmgr`, "master.cf");
    assertEquals(messages(line), [`fatal: master.cf, line 1: ${message}`]);
    assertEquals(services.map(({ name }) => name), ["qmgr"]);
  });
}

Deno.test("parseMasterCf() takes any bytes without failing", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    parseMasterCf(new TextDecoder().decode(bytes), "master.cf");
  }));
  const word = fc.constantFrom("-", "-o", "{", "}", "{a b}", "a=b", "\n", "n", "unix", "x", "1?");
  fc.assert(fc.property(fc.array(word, { maxLength: 30 }), (words) => {
    parseMasterCf(`__proto__ unix ${words.join(" ")}`, "master.cf");
  }));
});

Deno.test("parseMasterCf() gives services and their overrides back, whatever they are called", () => {
  const name = fc.constantFrom("__proto__", "constructor", "toString", "smtp", "a.b-c_d+e");
  const text = fc.stringMatching(/^[!-z|~]([ -z|~]{0,20}[!-z|~])?$/);
  const overrides = fc.array(fc.tuple(name, text), { maxLength: 4 });
  fc.assert(fc.property(name, overrides, (service, overrides) => {
    const options = overrides.map(([name, value]) => ` -o { ${name} = ${value} }`).join("\n ");
    const line = `${service} unix n - n - - smtp\n ${options}\n`;
    const { services, problems } = parseMasterCf(line, "master.cf");
    assertEquals(problems, []);
    assertEquals(services.map(({ name }) => name), [service]);
    assertEquals(services[0]!.overrides, new Map(overrides));
  }));
});

Deno.test("parseMasterCf() has a service or a problem for each line, whatever its columns", () => {
  const column = near(
    "-",
    "y",
    "n",
    "0",
    "10",
    "1000?",
    "inet",
    "unix",
    "smtp",
    "127.0.0.1:25",
    "9".repeat(10),
  )
    .map((text) => text.replace(/\s+/g, "") || "-");
  fc.assert(fc.property(fc.array(column, { minLength: 8, maxLength: 8 }), (columns) => {
    const { services: [entry], problems } = parseMasterCf(columns.join(" "), "master.cf");
    if (columns[0]!.startsWith("#")) return;
    assert(!entry !== !problems.length, columns.join(" "));
    if (!entry) return;
    const [name, type, priv, unpriv, chroot, wakeup, maxproc, command] = columns;
    assertEquals([entry.name, entry.type as string, entry.command], [name!, type!, command!]);
    assertEquals(entry.private, priv !== "n");
    assertEquals(entry.unprivileged, unpriv !== "n");
    assertEquals(entry.chroot, chroot === "y");
    assertEquals(entry.wakeup, Number(/^[0-9]*/.exec(wakeup!)![0]));
    assertEquals(entry.wakeupIfUsed, wakeup!.endsWith("?"));
    assertEquals(entry.maxproc, maxproc === "-" ? undefined : Number(maxproc));
    assert(Number.isSafeInteger(entry.wakeup) && Number.isSafeInteger(entry.maxproc ?? 0));
  }));
});

Deno.test("parseMasterCf() takes time in proportion to its text", () => {
  const parts = [
    "a ",
    "{",
    "}",
    "{a} ",
    "{ ",
    "-o ",
    "-o a=b ",
    "-oa=",
    "-oa=b ",
    "=",
    "\n",
    "\n ",
    "\r",
    "#",
    "\u2028",
  ];
  const around = ["", "a unix - - - - - smtp ", "a unix - - - - - smtp {"];
  assertQuick((text) => parseMasterCf(text, "master.cf"), parts, { around });
});
