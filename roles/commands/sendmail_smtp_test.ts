import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import fc from "fast-check";
import { readSubmission, type Submitted } from "../../shared/maildrop/file_format.ts";
import { reply } from "../../shared/smtp/reply.ts";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { namesIn } from "../../tests/support/files.ts";
import { disguised } from "../../tests/support/hostile.ts";
import { worked } from "../../tests/support/work.ts";
import { sendmail } from "./sendmail.ts";
import { type SmtpMessage, smtpSession } from "./sendmail_smtp.ts";
import { Incomplete } from "./sendmail_smtp_input.ts";

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    yield await Promise.resolve(bytes.subarray(at, at + size));
  }
}

/** A session with this input; what it answered, and what was submitted. */
async function session(input: string | Uint8Array, chunk = 1000, accept = true) {
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  const messages: (SmtpMessage & { content: string })[] = [];
  let out = "";
  await smtpSession(chunksOf(bytes, chunk), {
    hostname: "mail.example.com",
    mailName: "Postern",
    messageSizeLimit: 1000,
    out: (text) => void (out += text),
    async submit(message, content) {
      if (!accept) {
        // Reads a little, and no more.
        for await (const _ of content) break;
        return reply(451, "4.3.0", "no");
      }
      const decoder = new TextDecoder("latin1");
      let text = "";
      for await (const part of content) text += decoder.decode(part);
      messages.push({ ...message, content: text });
      return reply(250, "2.0.0", "Ok");
    },
  });
  return { codes: out.match(/^[0-9]{3} /gm)!.map(Number), out, messages };
}

const BEGIN = "EHLO me\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n";

Deno.test("a session takes messages one after the other, with any chunks and line ends", async () => {
  const dialog = `${BEGIN}Subject: x\r\n\r\n..\r\n.x\r\n.\r\n` +
    "mail from:<> size=20 body=8bitmime smtputf8\nrcpt to:c@z\nRCPT TO:<d@z>\nDATA\nS: y\n.\nQUIT\nNOOP\n";
  for (const chunk of [1, 2, 3, 7, 1000]) {
    const { codes, messages } = await session(dialog, chunk);
    assertEquals(codes, [220, 250, 250, 250, 354, 250, 250, 250, 250, 354, 250, 221]);
    assertEquals(messages, [
      {
        sender: "a@x",
        recipients: ["b@y"],
        smtputf8: false,
        content: "Subject: x\r\n\r\n.\r\nx\r\n",
      },
      { sender: "", recipients: ["c@z", "d@z"], smtputf8: true, content: "S: y\n" },
    ]);
  }
});

for (
  const [what, input, code] of [
    ["RCPT before MAIL", "RCPT TO:<b@y>", 503],
    ["DATA before RCPT", "MAIL FROM:<a@x>\r\nDATA", 554],
    ["DATA before MAIL", "DATA", 503],
    ["nested MAIL", "MAIL FROM:<a@x>\r\nMAIL FROM:<a@x>", 503],
    ["no address", "MAIL FROM:", 501],
    ["the null recipient", "MAIL FROM:<>\r\nRCPT TO:<>", 501],
    ["a control character", "MAIL FROM:<a\u0001@x>", 501],
    ["a sender that is too long", `MAIL FROM:<${"a".repeat(1000)}@x>`, 501],
    ["a recipient that is too long", `MAIL FROM:<a@x>\r\nRCPT TO:<${"a".repeat(1000)}@x>`, 501],
    ["an unknown parameter", "MAIL FROM:<a@x> FOO=1", 555],
    ["an announced size above the limit", "MAIL FROM:<a@x> SIZE=1001", 552],
    ["an unknown command", "__proto__ constructor", 500],
    ["a command that is too long", "NOOP " + "x".repeat(100_000), 500],
    ["an empty line", "", 500],
  ] as const
) {
  Deno.test(`-bs refuses ${what}, and goes on`, async () => {
    const { codes } = await session(`${input}\r\nRSET\r\nQUIT\r\n`);
    assertEquals(codes.slice(-3), [code, 250, 221]);
  });
}

Deno.test("what is left of a refused message is not taken for commands", async () => {
  const { codes } = await session(
    `${BEGIN}x\r\nQUIT\r\n`.repeat(1) + ".\r\nNOOP\r\nQUIT\r\n",
    8,
    false,
  );
  assertEquals(codes, [220, 250, 250, 250, 354, 451, 250, 221]);
});

Deno.test("a message that its client did not end is never submitted", async () => {
  for (const end of ["", "x", "x\r\n", "x\r\n.", "x\r\n.\r", "x\r\n..\r\n"]) {
    await assertRejects(() => session(BEGIN + end), Incomplete);
  }
});

Deno.test("errors without end close the session", async () => {
  const { codes } = await session("FOO\r\n".repeat(1000));
  assertEquals([codes.length, codes.at(-1)], [22, 421]);
});

Deno.test("-bs survives any bytes, and submits nothing that was not ended", async () => {
  const piece = fc.constantFrom(
    ...[
      "EHLO x",
      "MAIL FROM:<a@x>",
      "RCPT TO:<b@y>",
      "DATA",
      ".",
      "..",
      "RSET",
      "x",
      "\u0000",
      "é",
    ],
    ...["\r\n", "\r\n", "\r\n", "\n", "\r"],
  );
  await fc.assert(fc.asyncProperty(fc.array(piece), fc.nat(9), async (pieces, chunk) => {
    const text = pieces.join("");
    const run = () => session(text, chunk + 1);
    const result = await run().catch((error) => {
      if (!(error instanceof Incomplete)) throw error;
    });
    const ends = text.split(/^\.\r?\n/m).length - 1;
    assertEquals((result?.messages.length ?? 0) <= ends, true);
  }));
});

Deno.test("sendmail -bs leaves what it was given in the maildrop", async () => {
  const io = fakeIo(
    "message_size_limit = 1000\n",
    `${BEGIN}Subject: x\n\n..\nbody\n.\n` +
      `MAIL FROM:<a@x>\nRCPT TO:<b@y>\nDATA\n${"x\n".repeat(600)}.\nQUIT\n`,
  );
  try {
    assertEquals(await sendmail(["-bs"], io), 0);
    assertMatch(io.written.out, /^250 2\.0\.0 Ok: saved as [0-9a-f]{32}\r$/m);
    assertMatch(io.written.out, /^552 5\.3\.4 Error: message file too big\r$/m);
    const names = namesIn(`${io.queueDirectory}/maildrop`);
    assertEquals(names.length, 1);
    const bytes = Deno.readFileSync(`${io.queueDirectory}/maildrop/${names[0]}`);
    const { envelope, content } = await readSubmission((buffer, at) => {
      const part = bytes.subarray(at, at + buffer.length);
      buffer.set(part);
      return part.length;
    }, bytes.length);
    let text = "";
    for await (const part of content()) text += new TextDecoder().decode(part);
    const { sender, recipients }: Submitted = envelope;
    assertEquals([sender, recipients, text], ["a@x", ["b@y"], "Subject: x\r\n\r\n.\r\nbody\r\n"]);
  } finally {
    io.remove();
  }
});

Deno.test("sendmail -bs takes as many recipients as a submission can hold, and says 452 to the rest", async () => {
  const recipients = Array.from(
    { length: 5000 },
    (_, n) => `RCPT TO:<${n}.${"x".repeat(900)}@y>\n`,
  );
  const io = fakeIo(
    "",
    `MAIL FROM:<a@x>\n${recipients.join("")}DATA\nx\n.\nMAIL FROM:<a@x>\nRCPT TO:<b@y>\nQUIT\n`,
  );
  try {
    assertEquals(await sendmail(["-bs"], io), 0);
    const codes = io.written.out.match(/^[0-9]{3}/gm)!.map(Number);
    const runs = codes.filter((code, n) => code !== codes[n - 1]);
    assertEquals(runs, [220, 250, 452, 354, 250, 221]);
    assertMatch(io.written.out, /^250 2\.0\.0 Ok: saved as/m);
  } finally {
    io.remove();
  }
});

Deno.test("-bs knows no verb that only looks like one, and no line is long to it", async () => {
  const verbs = [...disguised("RSET"), ...disguised("QUIT"), ...disguised("MAIL FROM:<a@x>")];
  const { codes } = await session(["EHLO x", ...verbs, "QUIT"].join("\r\n") + "\r\n");
  assertEquals(codes, [220, 250, ...verbs.map(() => 500), 221]);
  const began = worked();
  const long = [" ", "a ", " <", "MAIL FROM:<", '"', "@a,", "a."].map((part) =>
    part.repeat(11_000 / part.length)
  );
  await session(long.map((text) => `MAIL FROM:${text}x\r\nNOOP${text}\r\n${text}x\r\n`).join(""));
  assertEquals(worked() - began < 5000, true);
});
