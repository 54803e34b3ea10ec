import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Submitted } from "../../shared/maildrop/file_format.ts";
import { textOf } from "../../tests/support/content.ts";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { namesIn } from "../../tests/support/files.ts";
import { readBytes } from "../../tests/support/maildrop.ts";
import { newaliases } from "./newaliases.ts";
import { sendmail } from "./sendmail.ts";
import { HeaderRecipients } from "./sendmail_header.ts";
import { parseSendmail, UsageError } from "./sendmail_options.ts";

function recipientsOf(header: string): string[] {
  const recipients = new HeaderRecipients();
  for (const line of header.split("\n")) if (!recipients.take(line)) break;
  return recipients.addresses;
}

const HEADERS: [string, string, string[]][] = [
  ["To, Cc and Bcc", "To: a@x\nSubject: y@z\nCc: b@x\nBCC : c@x", ["a@x", "b@x", "c@x"]],
  ["folded lines", "To: a@x,\n\tb@x,\n c@x", ["a@x", "b@x", "c@x"]],
  ["each address once", "To: a@x\nCc: a@x", ["a@x"]],
  ["only Resent- where there is one", "To: a@x\nResent-To: b@x\nResent-Bcc: c@x", ["b@x", "c@x"]],
  [
    "To when of Resent- only From and Date are there",
    "To: a@x\nResent-From: me@x\nResent-Date: x",
    ["a@x"],
  ],
  ["nobody when Resent-To is empty", "To: a@x\nResent-To:", []],
  ["nothing after the header", "Subject: x\n\nTo: a@x", []],
  ["nothing after a line that is no header", "Subject: x\nHello there\nTo: a@x", []],
];

for (const [what, header, expected] of HEADERS) {
  Deno.test(`-t takes ${what}`, () => assertEquals(recipientsOf(header), expected));
}

Deno.test("parseSendmail() takes options in any order, joined, attached and apart", () => {
  const options = parseSendmail(
    [
      "-it",
      "-fme@x",
      "-F",
      "Full Name",
      "-oi",
      "-N",
      "failure,delay",
      "-R",
      "hdrs",
      "-V",
      "a+b",
      "--",
      "a@x",
      "-b@x",
    ],
  );
  assertEquals(options.mode, "submit");
  assertEquals([options.fromHeader, options.dotEnds], [true, false]);
  assertEquals([options.sender, options.fullName], ["me@x", "Full Name"]);
  assertEquals([options.notify, options.ret, options.envid], [
    ["FAILURE", "DELAY"],
    "HDRS",
    "a+2Bb",
  ]);
  assertEquals(options.recipients, ["a@x", "-b@x"]);
});

Deno.test("parseSendmail() ignores what only Sendmail does", () => {
  const args = [
    "-Am",
    "-bh",
    "-d",
    "-em",
    "-h",
    "5",
    "-L",
    "tag",
    "-m",
    "-n",
    "-o7",
    "-ox",
    "-q30m",
    "-U",
    "-x",
    "-p",
    "x",
  ];
  const options = parseSendmail([...args, "-O", "Timeout=5m", "-X", "/tmp/log", "a@x"]);
  assertEquals([options.mode, options.recipients, options.warnings], ["submit", ["a@x"], []]);
});

for (const word of ["-t", "-fbob@y", "-bs", "-C/tmp", "-q", "-Z", "--", "-"]) {
  Deno.test(`parseSendmail() takes ${word} behind a recipient for another`, () => {
    const { mode, sender, fromHeader, dotEnds, configDirectory, recipients } = parseSendmail(
      ["-i", "a@x", word, "b@x"],
    );
    assertEquals([mode, sender, fromHeader], ["submit", undefined, false]);
    assertEquals([dotEnds, configDirectory], [false, undefined]);
    assertEquals(recipients, ["a@x", word, "b@x"]);
  });
}

for (const args of [["-i"], ["-oi"], ["-o", "i"], ["-oitrue"], ["-oiT"], ["-oifalse"]]) {
  Deno.test(`sendmail ${args.join(" ")}: a lone dot is text, as in Postfix`, () => {
    assertEquals(parseSendmail([...args, "a@x"]).dotEnds, false);
  });
}

const MODES: [string[], string, string][] = [
  [["-bp"], "list", ""],
  [["-q"], "flush", ""],
  [["-qIABC"], "flush id", "ABC"],
  [["-qRexample.com"], "flush site", "example.com"],
  [["-bs"], "smtp", ""],
  [["-bv", "a@x"], "verify", ""],
  [["-bi"], "aliases", ""],
  [["-bh"], "nothing", ""],
  [["-bh", "a@x"], "submit", ""],
  [["-bs", "-q30m"], "smtp", ""],
  [["-bl"], "unsupported", '-bl: start the system with "postern start"'],
  [["-O", "requiretls=yes", "a@x"], "unsupported", "-O requiretls=yes"],
];

for (const [args, mode, argument] of MODES) {
  Deno.test(`sendmail ${args.join(" ")} means ${mode}`, () => {
    const options = parseSendmail(args);
    assertEquals([options.mode as string, options.argument], [mode, argument]);
  });
}

for (
  const args of [
    ...[["-Z"], ["-f"], ["-bz"], ["-B", "9BIT"]],
    ...[["-bv", "-t"], ["-bv", "-N", "never", "a@x"]],
  ]
) {
  Deno.test(`sendmail ${args.join(" ")} is refused`, () => {
    assertThrows(() => parseSendmail(args), UsageError);
  });
}

/** What a call of sendmail left in the maildrop. */
async function submitted(args: string[], input: string, main = "") {
  const io = fakeIo(main, input);
  try {
    const code = await sendmail(args, io);
    const names = namesIn(`${io.queueDirectory}/maildrop`);
    const files: { envelope: Submitted; text: string }[] = [];
    for (const name of names) {
      const bytes = Deno.readFileSync(`${io.queueDirectory}/maildrop/${name}`);
      const submission = await readBytes(bytes);
      const text = await textOf(submission.content());
      files.push({ envelope: submission.envelope, text });
    }
    return { code, files, ...io.written };
  } finally {
    io.remove();
  }
}

Deno.test("sendmail leaves a submission in the maildrop while the system is down", async () => {
  const { code, files, err } = await submitted(["-i", "a@x", "b c@y"], "Subject: x\n\n.\nbody\n");
  assertEquals([code, err], [0, ""]);
  assertEquals(files.length, 1);
  const { nonce, ...envelope } = files[0]!.envelope;
  assertMatch(nonce, /^[0-9a-f]{32}$/);
  assertEquals(envelope, {
    sender: "tester",
    recipients: ["a@x", "b", "c@y"],
    fullName: "",
    notify: [],
    ret: "",
    envid: "",
    smtputf8: false,
    gateway: false,
  });
  assertEquals(files[0]!.text, "Subject: x\r\n\r\n.\r\nbody\r\n");
});

Deno.test("sendmail -t takes recipients from header and command line, and keeps the message", async () => {
  const input = "From me\nTo: A <a@x>\nBcc: b@x\n\nTo: not@x\n";
  const { code, files } = await submitted(["-t", "-f", "<>", "c@x"], input);
  assertEquals(code, 0);
  assertEquals(files[0]!.envelope.recipients, ["c@x", "a@x", "b@x"]);
  assertEquals(files[0]!.envelope.sender, "");
  assertEquals(files[0]!.text, "To: A <a@x>\r\nBcc: b@x\r\n\r\nTo: not@x\r\n");
});

Deno.test("sendmail -t takes no recipient from the body, nor -bs a header, when lines end in CR CR LF", async () => {
  const lines = ["To: a@x", "", "To: not@x", ""], text = "To: a@x\r\n\r\nTo: not@x\r\n";
  const { files: [submission] } = await submitted(["-t"], lines.join("\r\r\n"));
  assertEquals([submission!.envelope.recipients, submission!.text], [["a@x"], text]);
  const session = ["HELO x", "MAIL FROM:<a@x>", "RCPT TO:<b@x>", "DATA"].join("\r\n");
  const content = `${lines.join("\r\r\n")}.\r\nQUIT\r\n`;
  const { files: [said] } = await submitted(["-bs"], `${session}\r\n${content}`);
  assertEquals(said!.text, text);
});

Deno.test("sendmail passes on the sender's full name, but not that of a session", async () => {
  const { files } = await submitted(["-F", "Joe Public", "a@x"], "x\n");
  assertEquals(files[0]!.envelope.fullName, "Joe Public");
  const session = "HELO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n";
  const { files: [said] } = await submitted(["-bs", "-F", "Joe Public"], session);
  assertEquals([said!.envelope.sender, said!.envelope.fullName], ["a@x", ""]);
});

Deno.test("sendmail notices addresses that need SMTPUTF8", async () => {
  const { files } = await submitted(["zoë@example.com"], "x\n");
  assertEquals(files[0]!.envelope.smtputf8, true);
});

Deno.test("sendmail warns of a sender that is several, and takes the first", async () => {
  const { code, files, err } = await submitted(["-f", "a@b <c@d>, e@f", "x@y"], "x\n");
  assertEquals([code, files[0]!.envelope.sender], [0, "c@d"]);
  assertMatch(err, /^sendmail: warning: -f option specified malformed sender: a@b <c@d>, e@f\n$/);
});

function recipients(count: number, address: string): string {
  return Array.from({ length: count }, (_, n) => `${n}${address}`).join(",\n ");
}

const FAILURES: [string, string[], string, string, number, RegExp][] = [
  [
    "no recipient",
    [],
    "x\n",
    "",
    64,
    /fatal: tester\(\d+\): Recipient addresses must be specified/,
  ],
  [
    "no recipient in the header",
    ["-t"],
    "Subject: x\n\n",
    "",
    64,
    /No recipient addresses found in message header/,
  ],
  [
    "a message too large",
    ["a@x"],
    "x".repeat(2000),
    "message_size_limit = 1000",
    69,
    /message file too big/,
  ],
  ["an unknown option", ["-Z", "a@x"], "x\n", "", 64, /invalid option -- 'Z'/],
  ["an address too long", [`${"a".repeat(2000)}@x`], "x\n", "", 65, /recipient address too long/],
  [
    "a sender too long",
    ["-f", `${"a".repeat(2000)}@x`, "a@x"],
    "x\n",
    "",
    65,
    /fatal: tester\(\d+\): sender address too long: a{100}\.\.\.\n$/,
  ],
  [
    "too many recipients",
    ["-t"],
    `Bcc: ${recipients(50_001, "a@x.test")}\n\n`,
    "",
    65,
    /: too many recipients: 50001\n$/,
  ],
  [
    "recipients of too many bytes",
    ["-t"],
    `Bcc: ${recipients(4550, `${"a".repeat(900)}@x.test`)}\n\n`,
    "",
    65,
    /: too many recipients: 4550\n$/,
  ],
  ["-bl", ["-bl"], "", "", 64, /not supported: -bl: start the system with "postern start"/],
];

for (const [what, args, input, main, code, why] of FAILURES) {
  Deno.test(`sendmail with ${what} exits ${code}, says why, and leaves nothing`, async () => {
    const result = await submitted(args, input, main);
    assertEquals(result.code, code);
    assertEquals(result.files, []);
    assertMatch(result.err, why);
  });
}

Deno.test("sendmail without a maildrop exits 75", async () => {
  const io = fakeIo("", "x\n");
  Deno.removeSync(`${io.queueDirectory}/maildrop`);
  try {
    assertEquals(await sendmail(["a@x"], io), 75);
    assertMatch(io.written.err, /^sendmail: fatal: tester\(\d+\): maildrop: No such file/);
  } finally {
    io.remove();
  }
});

Deno.test("sendmail has nothing to do where only something of Sendmail's was asked for", async () => {
  for (const args of [["-bh"], ["-bH"], ["-q30m"]]) {
    const { code, files, out, err } = await submitted(args, "");
    assertEquals([code, files, out, err], [0, [], "", ""]);
    assertEquals((await submitted([...args, "a@x"], "Subject: x\n\n")).files.length, 1);
    assertEquals((await submitted([...args, "-t"], "To: a@x\n\n")).files.length, 1);
  }
});

Deno.test("newaliases and sendmail -bi say that there is nothing to make, which is no failure", async () => {
  for (const args of [["-bi"], ["-I"], ["-bi", "-v"]]) {
    const { code, files, out } = await submitted(args, "");
    assertEquals([code, files.length], [0, 0]);
    assertMatch(out, /^newaliases: no alias database to make: .*\n$/);
  }
  const io = fakeIo();
  try {
    assertEquals(await newaliases([], io), 0);
    assertMatch(io.written.out, /^newaliases: no alias database to make/);
  } finally {
    io.remove();
  }
});

Deno.test("sendmail -bv leaves a probe in the maildrop, and does not read its input", async () => {
  const { code, files, out } = await submitted(["-bv", "-f", "me@y", "a@x", "b@x"], "a secret\n");
  assertEquals([code, out], [0, "Mail Delivery Status Report will be mailed to <me@y>.\n"]);
  const [{ envelope, text }] = files as [(typeof files)[0]];
  assertEquals([envelope.trace, envelope.recipients], ["verify", ["a@x", "b@x"]]);
  assertEquals(text, "Subject: probe\r\n\r\n");
});

Deno.test("sendmail -bv says that nobody hears when the sender is null", async () => {
  const { code, out, err } = await submitted(["-bv", "-f", "<>", "a@x"], "");
  assertEquals([code, out], [0, ""]);
  assertMatch(err, /^sendmail: warning: the sender is null: nobody gets the Mail Delivery Status/);
});

Deno.test("sendmail -v asks for a report of the delivery, and twice -v says what is done", async () => {
  const once = await submitted(["-v", "a@x"], "Subject: x\n");
  assertEquals([once.files[0]!.envelope.trace, once.files[0]!.envelope.notify], ["deliver", []]);
  assertMatch(once.out, /^Mail Delivery Status Report will be mailed to <tester>\.\n$/);
  const twice = await submitted(["-vv", "a@x"], "S: x\n");
  assertEquals([twice.files[0]!.envelope.trace, twice.out], [undefined, ""]);
  assertMatch(twice.err, /^sendmail: saved as [0-9a-f]{32}, from <tester> to 1\n$/);
  assertEquals((await submitted(["a@x"], "S: x\n")).files[0]!.envelope.trace, undefined);
});

Deno.test("sendmail -bs -v asks for no report", () => {
  for (const args of [["-bs", "-v"], ["-v", "-bs"]]) {
    assertEquals(parseSendmail(args).trace, undefined);
  }
});

Deno.test("-t reads any header, and takes no control character for an address", () => {
  const line = fc.oneof(
    fc.constantFrom(
      "To: a@x",
      " b@y,",
      "Bcc: c <d@z>",
      "__proto__: a@x",
      "Resent-To: r@x",
      "x",
      "",
    ),
    fc.string({ unit: fc.constantFrom(...'To:CcB ab@.<>(),;"\\\u0000\u0085\r\té') }),
  );
  fc.assert(fc.property(fc.array(line), (lines) => {
    const recipients = recipientsOf(lines.join("\n"));
    assertEquals(new Set(recipients).size, recipients.length);
    for (const address of recipients) {
      assertEquals(address !== "" && !/\p{Cc}/u.test(address), true, JSON.stringify(address));
    }
  }));
});

Deno.test("parseSendmail() reads any command line or refuses it with UsageError", () => {
  const word = fc.oneof(
    fc.constantFrom(
      "-N",
      "-R",
      "-V",
      "-f",
      "-b",
      "-O",
      "-q",
      "--",
      "__proto__",
      "constructor",
      "-o",
    ),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(word), (args) => {
    try {
      parseSendmail(args);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
  }));
});
