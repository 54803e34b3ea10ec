import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { connectInMemory } from "../../tests/dialogs/memory.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();

const HEAD = [
  "# rewrite: user@here.test local yes",
  "# rewrite: @gone.test unavailable",
  "# tls: yes",
  "# parameter: smtpd_tls_security_level = may",
  "# parameter: smtpd_forbid_unauth_pipelining = no",
  "# parameter: smtpd_hard_error_limit = 1000",
  "# parameter: message_size_limit = 200",
  "# parameter: smtpd_delay_reject = no",
].join("\n");

interface Run {
  output: string;
  messages: readonly string[];
}

/** What the session says to these chunks before the client hangs up. */
async function run(chunks: Uint8Array[], head = HEAD): Promise<Run> {
  const connection = connectInMemory(head);
  let output = "";
  const reading = (async () => {
    for (let part; (part = await connection.receive());) output += decoder.decode(part);
  })();
  for (const chunk of chunks) {
    connection.send(chunk);
    await Promise.resolve();
  }
  await connection.memory!.settle();
  connection.close();
  await reading;
  return { output, messages: connection.memory!.messages };
}

const command = fc.constantFrom(
  "EHLO client.example\r\n",
  "HELO x\r\n",
  "MAIL FROM:<s@example.com>\r\n",
  "MAIL FROM:<s@example.com> SIZE=999999\r\n",
  "MAIL FROM:<jürgen@example.com>\r\n",
  "RCPT TO:<user@here.test>\r\n",
  "RCPT TO:<user@elsewhere.test>\r\n",
  "RCPT TO:<x@gone.test>\r\n",
  "RCPT TO:<>\r\n",
  "DATA\r\n",
  "BDAT 4\r\nabcd",
  "BDAT 4 LAST\r\nabcd",
  "BDAT 0\r\n",
  "BDAT 300\r\n" + "x".repeat(300),
  "RSET\r\n",
  "NOOP\r\n",
  "VRFY user@here.test\r\n",
  "VRFY jürgen@here.test\r\n",
  "ETRN x\r\n",
  "HELP\r\n",
  "STARTTLS\r\n",
  "AUTH PLAIN\r\n",
  "line\r\n",
  ".\r\n",
  "line\r\n.\r\n",
  "\n.\n",
  "\r\n.\n",
  "\r",
  "y".repeat(300) + "\r\n",
);
const commands = fc.array(command, { maxLength: 25 }).map((parts) =>
  encoder.encode(parts.join(""))
);
const bytes = fc.uint8Array({ maxLength: 300 });

Deno.test("a session survives any bytes, and answers nothing but SMTP", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(commands, bytes), fc.array(fc.nat(300)), async (input, places) => {
      const cuts = places.map((place) => place % (input.length + 1)).sort((a, b) => a - b);
      const chunks = [0, ...cuts].map((from, n) => input.subarray(from, cuts[n] ?? input.length));
      const { output, messages } = await run(chunks.filter((chunk) => chunk.length));
      assert(!output.includes("Server local error"), output);
      assert(/^([2-5][0-9]{2}[ -][^\r\n]*\r\n)+$/.test(output), output);
      const queued = output.match(/queued as/g)?.length ?? 0;
      assertEquals(messages.length, queued);
    }),
    { numRuns: 600 },
  );
});

const contents = fc.array(
  fc.constantFrom("\r", "\n", ".", "a", "\r\n", "\r\n.\r\n", "\n.\n", "\n.\r\n", "\0", "RSET\r\n"),
  { maxLength: 20 },
).map((parts) => parts.join(""));

for (const mode of ["no", "note", "normalize", "reject"]) {
  Deno.test(`smtpd_forbid_bare_newline=${mode} decides by the bytes, not by how they are cut`, () =>
    fc.assert(
      fc.asyncProperty(contents, fc.array(fc.nat(300)), async (content, places) => {
        const head = `${HEAD}\n# parameter: smtpd_forbid_bare_newline = ${mode}\n` +
          "# parameter: smtpd_forbid_bare_newline_exclusions =";
        const input = encoder.encode(
          `EHLO x\r\nMAIL FROM:<s@a.test>\r\nRCPT TO:<user@here.test>\r\nDATA\r\n${content}\r\n.\r\n`,
        );
        const cuts = places.map((place) => place % input.length).sort((a, b) => a - b);
        const chunks = [0, ...cuts].map((from, n) => input.subarray(from, cuts[n] ?? input.length));
        const whole = comparable(await run([input], head));
        assertEquals(comparable(await run(chunks.filter((each) => each.length), head)), whole);
        if (mode === "reject" && /(?<!\r)\n/.test(content.split(/(?:^|\r\n)\.\r\n/)[0]!)) {
          assertEquals(whole.messages.length, 0);
        }
      }),
      { numRuns: 150 },
    ));
}

/** Without what two sessions never have in common: queue ids. */
function comparable({ output, messages }: Run): Run {
  const blind = (text: string) => text.replace(/(queued as|\bid) \w+/g, "$1 ID");
  return { output: blind(output), messages: messages.map(blind) };
}

/** Commands that fail, or that end a message in some way, by what has to be there before. */
const FAILURES = [
  "RCPT TO:<>\r\n",
  "MAIL FROM:<x@\r\n",
  "MAIL FROM:<s@example.com> FOO\r\n",
  "BDAT 0\r\n",
  "BDAT 300 LAST\r\n" + "x".repeat(300),
  "BDAT 4\r\nabcdBDAT 300 LAST\r\n" + "x".repeat(300),
  "DATA\r\n" + "x".repeat(300) + "\r\n.\r\n",
  "DATA\r\nfine\r\n.\r\n",
  "DATA x\r\n",
  "VRFY jürgen@here.test\r\n",
  "VRFY nobody@here.test\r\n",
  "FOO\r\n",
  "EHLO\r\n",
  "STARTTLS x\r\n",
  "ETRN\r\n",
];
const TRANSACTION = "MAIL FROM:<old@example.com>\r\nRCPT TO:<user@here.test>\r\n";

for (const failure of FAILURES) {
  // Without a transaction the content of DATA would be commands.
  const befores = failure.startsWith("DATA\r\n") ? [TRANSACTION] : ["", TRANSACTION];
  for (const before of befores) {
    const name = `${before && "MAIL, RCPT, "}${failure.slice(0, 20).replaceAll("\r\n", " ")}`;
    Deno.test(`after ${name} and RSET nothing of the old message is left`, async () => {
      const input = `EHLO x\r\n${before}${failure}RSET\r\nRCPT TO:<user@here.test>\r\n` +
        "DATA\r\nMAIL FROM:<new@example.com>\r\nDATA\r\nRCPT TO:<user@here.test>\r\nDATA\r\nnew\r\n.\r\n";
      const { output, messages } = await run([encoder.encode(input)]);
      const last = output.trimEnd().split("\r\n").slice(-8).map((line) => line.slice(0, 9));
      assertEquals(last, [
        "250 2.0.0",
        "503 5.5.1",
        "503 5.5.1",
        "250 2.1.0",
        "554 5.5.1",
        "250 2.1.5",
        "354 End d",
        "250 2.0.0",
      ]);
      assert(messages.at(-1)!.startsWith("from=<new@example.com> to=<user@here.test> "));
    });
  }
}
