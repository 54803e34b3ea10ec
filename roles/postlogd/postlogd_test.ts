import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { assertQuick, near } from "../../tests/support/hostile.ts";
import { LogFile } from "./log_file.ts";
import { datagram } from "./syslog.ts";
import { logWriter, Stderr } from "./writer.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function within(test: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = Deno.makeTempDirSync();
  try {
    await test(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Standard error of a test, with its clock. */
function stderr() {
  const written: string[] = [];
  const clock = { now: 0 };
  const sink = new Stderr((bytes) => void written.push(decoder.decode(bytes)), () => clock.now);
  return { written, clock, sink };
}

Deno.test("LogFile appends to what is there", () =>
  within((directory) => {
    const path = `${directory}/maillog`;
    Deno.writeTextFileSync(path, "old\n");
    const file = new LogFile(path);
    file.write(encoder.encode("one\n"));
    file.write(encoder.encode("two\n"));
    assertEquals(Deno.readTextFileSync(path), "old\none\ntwo\n");
    file.close();
  }));

Deno.test("LogFile that cannot be opened says which", () => {
  const file = new LogFile("/nonexistent/maillog");
  assertThrows(() => file.write(encoder.encode("x\n")), Error, "open /nonexistent/maillog: ");
});

Deno.test("lines go to standard error when the log file cannot be written", () => {
  const { written, sink } = stderr();
  const target = { file: "/nonexistent/maillog", syslogSocket: "", ownSocket: "" };
  const writer = logWriter(target, sink);
  writer.write(["one"]);
  writer.write(["two"]);
  assertEquals(written.length, 3);
  assertMatch(written[0]!, /^postlogd: error: cannot write the log: open \/nonexistent\/maillog: /);
  assertEquals(written.slice(1), ["one\n", "two\n"]);
});

Deno.test("a full disk is survived, and the log goes on when there is room again", () =>
  within((directory) => {
    const { written, sink } = stderr();
    const path = `${directory}/maillog`;
    Deno.symlinkSync("/dev/full", path);
    const writer = logWriter({ file: path, syslogSocket: "", ownSocket: "" }, sink);
    writer.write(["lost"]);
    assertMatch(written[0]!, /cannot write the log: /);
    Deno.removeSync(path);
    writer.write(["kept"]);
    assertEquals(Deno.readTextFileSync(path), "kept\n");
    writer.close();
  }));

Deno.test("standard error gets so much a minute, and no more", () => {
  const { written, clock, sink } = stderr();
  const line = "x".repeat(999);
  const bytes = () => written.join("").length;
  for (let n = 0; n < 1000; n++) sink.instead([line], "no room");
  assertEquals(bytes() < 66_000, true);
  clock.now = 60_000;
  const before = bytes();
  sink.instead([line], "no room");
  assertEquals(bytes() > before + 999, true);
});

const DATAGRAMS: [string, string][] = [
  [
    "Nov 21 01:02:03 mail postfix/smtpd[42]: connect from x[y]",
    "<22>Nov 21 01:02:03 postfix/smtpd[42]: connect from x[y]",
  ],
  [
    "Nov  1 01:02:03 mail postfix/smtpd[42]: warning: x",
    "<20>Nov  1 01:02:03 postfix/smtpd[42]: warning: x",
  ],
  [
    "Nov 21 01:02:03 mail postfix/smtpd[42]: error: x",
    "<19>Nov 21 01:02:03 postfix/smtpd[42]: error: x",
  ],
  [
    "Nov 21 01:02:03 mail postfix/smtpd[42]: fatal: x",
    "<18>Nov 21 01:02:03 postfix/smtpd[42]: fatal: x",
  ],
  [
    "Nov 21 01:02:03 mail postfix/qmgr[42]: ABC: removed",
    "<22>Nov 21 01:02:03 postfix/qmgr[42]: ABC: removed",
  ],
  ['{"severity":"warning","text":"x"}', '<20>{"severity":"warning","text":"x"}'],
  ["whatever", "<22>whatever"],
];

for (const [line, expected] of DATAGRAMS) {
  Deno.test(`syslog gets ${expected}`, () =>
    assertEquals(decoder.decode(datagram(line)), expected));
}

Deno.test("a datagram is cut where syslog daemons cut it", () => {
  assertEquals(datagram("x".repeat(100_000)).length, 8192);
});

/** A program that listens on a syslog socket and prints what comes; run under postlogd's own permissions elsewhere. */
const SENDER = `
import { logWriter } from "${import.meta.resolve("./writer.ts")}";
const [syslogSocket, ownSocket] = Deno.args;
const writer = logWriter({ file: "", syslogSocket, ownSocket });
writer.write(["Nov 21 01:02:03 mail postfix/smtpd[42]: one"]);
await writer.close();
writer.write(["Nov 21 01:02:03 mail postfix/smtpd[42]: warning: two"]);
await writer.close();
`;

Deno.test("lines reach a real syslog socket, with the rights of the policy row alone", () =>
  within(async (directory) => {
    const [path, own] = [`${directory}/devlog`, `${directory}/own/postlogd`];
    Deno.mkdirSync(`${directory}/own`);
    const python = "import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n" +
      "s.bind(sys.argv[1]);s.settimeout(20);print('bound',flush=True)\n" +
      "for n in range(2): print(s.recv(9000).decode(),flush=True)";
    const daemon = new Deno.Command("python3", {
      args: ["-c", python, path],
      stdout: "piped",
    }).spawn();
    const reader = daemon.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let heard = (await reader.read()).value ?? "";
    const script = `${directory}/sender.ts`;
    Deno.writeTextFileSync(script, SENDER);
    const sockets = `${path},${own}`;
    const sent = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--quiet",
        "--unstable-net",
        `--config=${new URL("../../deno.json", import.meta.url).pathname}`,
        `--allow-net=unix:${path},unix:${own}`,
        `--allow-read=${directory}/own,${sockets}`,
        `--allow-write=${directory}/own,${sockets}`,
        script,
        path,
        own,
      ],
      stderr: "piped",
    }).output();
    assertEquals(decoder.decode(sent.stderr), "");
    for (let part; (part = await reader.read()).value;) heard += part.value;
    await daemon.status;
    assertEquals(heard.split("\n"), [
      "bound",
      "<22>Nov 21 01:02:03 postfix/smtpd[42]: one",
      "<20>Nov 21 01:02:03 postfix/smtpd[42]: warning: two",
      "",
    ]);
  }));

Deno.test("datagram() has a priority of facility mail and one line of bounded length for any text", () => {
  const parts = [
    "Nov 21 01:02:03",
    " h ",
    "postfix/smtpd[42]: ",
    "warning: ",
    "constructor: ",
    '"severity":"',
    '"',
  ];
  const header = fc.constantFrom("", "Nov 21 01:02:03 h postfix/smtpd[42]: ", '{"severity":"');
  fc.assert(fc.property(header, near(...parts), (header, text) => {
    const sent = datagram(header + text);
    assert(sent.length <= 8192);
    assertMatch(new TextDecoder().decode(sent), /^<(18|19|20|22)>/);
  }));
  assertQuick(datagram, [...parts, "a", " ", "[", "a: "], {
    around: ["", "Nov 21 01:02:03 h p[4"],
  });
});
