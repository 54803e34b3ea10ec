import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { messageLines, type MessageOptions } from "./sendmail_message.ts";

const DEFAULTS: MessageOptions = { fixLineEndings: "always", dotEnds: true };

/** The message as the queue gets it, from chunks of input. */
async function message(chunks: string[], options: Partial<MessageOptions> = {}): Promise<string> {
  async function* input() {
    for (const chunk of chunks) yield await Promise.resolve(new TextEncoder().encode(chunk));
  }
  const parts: Uint8Array[] = [];
  for await (const part of messageLines(input(), { ...DEFAULTS, ...options })) {
    parts.push(part.slice());
  }
  return await new Blob(parts as BlobPart[]).text();
}

const MESSAGES: [string, string, Partial<MessageOptions>, string][] = [
  ["LF becomes CRLF", "a\nb\n", {}, "a\r\nb\r\n"],
  ["CRLF stays CRLF", "a\r\nb\r\n", {}, "a\r\nb\r\n"],
  ["the last line gets an end", "a\nb", {}, "a\r\nb\r\n"],
  ["a stray CR becomes a space", "a\rb\n", {}, "a b\r\n"],
  ["all CR before LF are the line end's", "a\r\r\r\nb\r\r\n", {}, "a\r\nb\r\n"],
  ["an empty line ends the header", "A: b\r\r\n\r\r\nTo: c\r\r\n", {}, "A: b\r\n\r\nTo: c\r\n"],
  ["CRs before others are stray", "\r\ra\r\rb\r\r\n", {}, "  a  b\r\n"],
  ["a lone dot with several CR ends it", "a\n.\r\r\nb\n", {}, "a\r\n"],
  ["an empty message stays empty", "", {}, ""],
  ["empty lines stay", "a\n\n\nb\n", {}, "a\r\n\r\n\r\nb\r\n"],
  ["a lone dot ends the message", "a\n.\nb\n", {}, "a\r\n"],
  ["a lone dot with CRLF ends it", "a\r\n.\r\nb\r\n", {}, "a\r\n"],
  ["a lone dot at the end of input ends it", "a\n.", {}, "a\r\n"],
  ["with -i a lone dot is text", "a\n.\nb\n", { dotEnds: false }, "a\r\n.\r\nb\r\n"],
  ["two dots are text", "..\n", {}, "..\r\n"],
  [
    "From_ lines before the header go",
    "From me Sat\n>From you\nA: b\n\nFrom x\n",
    {},
    "A: b\r\n\r\nFrom x\r\n",
  ],
  ["From: is no From_ line", "From: a\n", {}, "From: a\r\n"],
  ["never: a CR before LF is stray", "a\r\n", { fixLineEndings: "never" }, "a \r\n"],
  ["never: any before LF are", ".\r\r\n", { fixLineEndings: "never" }, ".  \r\n"],
  [
    "strict: as the first line, CRs",
    "a\r\r\nb\r\nc\n",
    { fixLineEndings: "strict" },
    "a\r\nb\r\nc\r\n",
  ],
  [
    "strict: as the first line, CRLF",
    "a\r\nb\r\nc\n",
    { fixLineEndings: "strict" },
    "a\r\nb\r\nc\r\n",
  ],
  ["strict: as the first line, LF", "a\nb\r\r\n", { fixLineEndings: "strict" }, "a\r\nb  \r\n"],
  ["NUL stays", "a\0b\n", {}, "a\0b\r\n"],
];

for (const [what, input, options, expected] of MESSAGES) {
  Deno.test(`messageLines(): ${what}`, async () => {
    assertEquals(await message([input], options), expected);
    assertEquals(await message([...input], options), expected, "byte by byte");
  });
}

Deno.test("messageLines() gives the same whatever the chunks, and no bare CR or LF", async () => {
  const text = fc.string({ unit: fc.constantFrom(..."a.\r\n\n F"), maxLength: 40 });
  const cut = fc.array(fc.nat(40), { maxLength: 5 });
  await fc.assert(fc.asyncProperty(text, cut, async (text, cut) => {
    const at = [0, ...cut.filter((n) => n < text.length).sort((a, b) => a - b), text.length];
    const chunks = at.slice(1).map((end, n) => text.slice(at[n], end));
    const whole = await message([text]);
    assertEquals(await message(chunks), whole);
    // Input may end without a line end, in an open line's CRs too.
    const lines = text.replace(/[^\n]$/, "$&\n").split(/\r*\n/).slice(0, -1);
    if (!lines.includes(".")) {
      assertEquals(whole, lines.map((line) => line.replaceAll("\r", " ") + "\r\n").join(""));
    }
    assertEquals(/\r(?!\n)|(?<!\r)\n/.test(whole), false);
    assertEquals(whole === "" || whole.endsWith("\r\n"), true);
  }));
});

Deno.test("messageLines() passes a line of many megabytes on in parts", async () => {
  const chunks = Array(200).fill("x".repeat(50_001));
  assertEquals(
    await message([...chunks, "\r", "\nend\n"]),
    "x".repeat(200 * 50_001) + "\r\nend\r\n",
  );
});

Deno.test("messageLines() takes a run of CR for the line end's whatever its length", async () => {
  const run = "\r".repeat(200_001), spaces = " ".repeat(200_001);
  for (
    const [input, expected] of [[`.${run}\n`, ".\r\n"], [`${run}\nb\n`, "\r\nb\r\n"], [
      `${run}b\n`,
      `${spaces}b\r\n`,
    ]]
  ) {
    assertEquals(await message([`a\n${input}`]), `a\r\n${expected}`);
    assertEquals(await message(cut(`a\n${input}`, 50_001)), `a\r\n${expected}`);
  }
});

/** The text in pieces of so many characters. */
function cut(text: string, length: number): string[] {
  return Array.from(
    { length: Math.ceil(text.length / length) },
    (_, n) => text.slice(n * length, (n + 1) * length),
  );
}
