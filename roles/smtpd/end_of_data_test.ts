import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { concat } from "../../shared/bytes.ts";
import { ContentReader, MAX_HELD_CRS, type ReaderOptions } from "./end_of_data.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();
const STRICT = { dots: true, lenient: false };
const LENIENT = { dots: true, lenient: true };
const BDAT = { dots: false, lenient: false };

interface Result {
  /** Content without the transport's dots; undefined when the end was not found. */
  content: string | undefined;
  /** What came after the end. */
  rest: string;
  bareLf: boolean;
}

function read(options: ReaderOptions, chunks: Uint8Array[]): Result {
  const reader = new ContentReader(options), out: Uint8Array[] = [];
  let rest = "";
  for (const chunk of chunks) {
    if (reader.ended) rest += decoder.decode(chunk);
    else rest += decoder.decode(chunk.subarray(reader.push(chunk, out)));
  }
  if (!options.dots) reader.finish(out);
  const content = decoder.decode(concat(out));
  assertEquals(reader.size, encoder.encode(content).length);
  return { content: reader.ended ? content : undefined, rest, bareLf: reader.bareLf };
}

function bytewise(input: string): Uint8Array[] {
  return [...encoder.encode(input)].map((byte) => Uint8Array.of(byte));
}

function cut(bytes: Uint8Array, places: number[]): Uint8Array[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...sorted].map((from, n) => bytes.subarray(from, sorted[n] ?? bytes.length));
}

type Row = [reason: string, options: ReaderOptions, input: string, Partial<Result>];

const open = { content: undefined, rest: "" };

const rows: Row[] = [
  ["finds the end of an empty message", STRICT, ".\r\n", { content: "", rest: "" }],
  ["finds the end of one line", STRICT, "a\r\n.\r\n", { content: "a\r\n", bareLf: false }],
  ["keeps empty lines", STRICT, "\r\n\r\na\r\n\r\n.\r\n", { content: "\r\n\r\na\r\n\r\n" }],
  ["leaves commands after the end", STRICT, "a\r\n.\r\nQUIT\r\n", {
    content: "a\r\n",
    rest: "QUIT\r\n",
  }],
  ["takes a dot off a line", STRICT, "..\r\n.\r\n", { content: ".\r\n" }],
  ["takes one of several dots off", STRICT, "....a\r\n.\r\n", { content: "...a\r\n" }],
  ["takes a dot off before text", STRICT, ".a\r\n.\r\n", { content: "a\r\n" }],
  ["keeps dots inside a line", STRICT, "a.b.\r\n.\r\n", { content: "a.b.\r\n" }],
  ["keeps a dot at the end of a line", STRICT, "a\r\nb.\r\n.\r\n", { content: "a\r\nb.\r\n" }],
  ["takes a dot off each of two lines", STRICT, ".a\r\n.b\r\n.\r\n", { content: "a\r\nb\r\n" }],
  ["does not end at a dot and a space", STRICT, "a\r\n. \r\n", open],
  ["does not end at two dots", STRICT, "a\r\n..\r\n", open],
  ["does not end in the middle of a line", STRICT, "a.\r\n", open],
  ["does not end at LF.LF", STRICT, "a\n.\nb\r\n.\r\n", {
    content: "a\r\n\r\nb\r\n",
    bareLf: true,
  }],
  ["does not end at LF.CRLF", STRICT, "a\n.\r\nb\r\n.\r\n", {
    content: "a\r\n\r\nb\r\n",
    bareLf: true,
  }],
  ["does not end at CRLF.LF", STRICT, "a\r\n.\nb\r\n.\r\n", {
    content: "a\r\n\r\nb\r\n",
    bareLf: true,
  }],
  ["does not end at CR.CR", STRICT, "a\r.\rb\r\n.\r\n", { content: "a . b\r\n", bareLf: false }],
  ["does not end at CR.CRLF", STRICT, "a\r.\r\nb\r\n.\r\n", { content: "a .\r\nb\r\n" }],
  ["does not end at CRLF.CR", STRICT, "a\r\n.\rb\r\n.\r\n", { content: "a\r\n b\r\n" }],
  ["does not end at LF.CR", STRICT, "a\n.\rb\r\n.\r\n", { content: "a\r\n b\r\n" }],
  ["does not end at CR.LF", STRICT, "a\r.\nb\r\n.\r\n", { content: "a .\r\nb\r\n", bareLf: true }],
  ["does not end at CRLF.CRCRLF", STRICT, "a\r\n.\r\r\nb\r\n.\r\n", { content: "a\r\n\r\nb\r\n" }],
  ["does not end at CRCRLF.CRCRLF", STRICT, "a\r\r\n.\r\r\n", open],
  ["does not end at CRCRLF.LF", STRICT, "a\r\r\n.\nb\r\n.\r\n", {
    content: "a\r\n\r\nb\r\n",
    bareLf: true,
  }],
  ["does not end at LF.CRCRLF", STRICT, "a\n.\r\r\nb\r\n.\r\n", { content: "a\r\n\r\nb\r\n" }],
  ["does not end at CRLF.CRCR.CRLF", STRICT, "a\r\n.\r\r.\r\nb\r\n.\r\n", {
    content: "a\r\n  .\r\nb\r\n",
  }],
  ["does not end at CRCR.CRLF", STRICT, "a\r\r.\r\nb\r\n.\r\n", { content: "a  .\r\nb\r\n" }],
  ["ends at CRCRLF.CRLF, which has CRLF.CRLF in it", STRICT, "a\r\r\n.\r\n", { content: "a\r\n" }],
  ["ends after CRLF.CRCRLF at .CRLF", STRICT, "a\r\n.\r\r\n.\r\nb", {
    content: "a\r\n\r\n",
    rest: "b",
  }],
  ["keeps a dot that was stuffed before CRCRLF", STRICT, "..\r\r\n.\r\n", { content: ".\r\n" }],
  ["takes all CR before LF for the line end", STRICT, "a: b\r\r\n\r\r\r\nc\r\r\n.\r\n", {
    content: "a: b\r\n\r\nc\r\n",
    bareLf: false,
  }],
  ["hides a message smuggled after .CRCRLF", STRICT, "a\r\n.\r\r\nMAIL FROM:<x>\r\n.\r\n", {
    content: "a\r\n\r\nMAIL FROM:<x>\r\n",
    rest: "",
  }],
  ["does not end at CRLF NUL . CRLF", STRICT, "a\r\n\0.\r\n", open],
  ["does not end at CRLF . NUL CRLF", STRICT, "a\r\n.\0\r\n", open],
  ["does not end where the data begins with LF.CRLF", STRICT, "\n.\r\n", open],
  ["ends after a bare LF line and a whole end mark", STRICT, "a\n\r\n.\r\n", {
    content: "a\r\n\r\n",
  }],
  ["makes CRLF of a bare LF", STRICT, "a\nb\n\nc\r\n.\r\n", {
    content: "a\r\nb\r\n\r\nc\r\n",
    bareLf: true,
  }],
  ["makes CRLF of LF at the start", STRICT, "\na\r\n.\r\n", { content: "\r\na\r\n", bareLf: true }],
  ["makes a space of a stray CR", STRICT, "a\rb\r\n.\r\n", { content: "a b\r\n" }],
  ["makes spaces of several stray CR", STRICT, "\r\r\ra\r\n.\r\n", { content: "   a\r\n" }],
  ["makes CRLF of LFCR's LF, a space of its CR", STRICT, "a\n\rb\r\n.\r\n", {
    content: "a\r\n b\r\n",
  }],
  ["takes the dot off after a bare LF", STRICT, "a\n..b\r\n.\r\n", { content: "a\r\n.b\r\n" }],
  ["keeps NUL and bytes above 127", STRICT, "\0é\r\n.\r\n", { content: "\0é\r\n" }],
  ["has no end while the LF is missing", STRICT, "a\r\n.\r", open],
  ["has no end while the dot is missing", STRICT, "a\r\n", open],
  ["hides a smuggled message", STRICT, "a\r\n.\nMAIL FROM:<x>\r\n.\r\n", {
    content: "a\r\n\r\nMAIL FROM:<x>\r\n",
    rest: "",
  }],
  ["hides a message smuggled after LF.CRLF", STRICT, "a\n.\r\nMAIL FROM:<x>\r\n.\r\n", {
    content: "a\r\n\r\nMAIL FROM:<x>\r\n",
    rest: "",
  }],
  ["ends once", STRICT, "a\r\n.\r\n.\r\n", { content: "a\r\n", rest: ".\r\n" }],
  ["ends at LF.LF when lenient", LENIENT, "a\n.\nQUIT\n", {
    content: "a\r\n",
    rest: "QUIT\n",
    bareLf: true,
  }],
  ["ends at LF.CRLF when lenient", LENIENT, "a\n.\r\nx", { content: "a\r\n", rest: "x" }],
  ["ends at CRLF.LF when lenient", LENIENT, "a\r\n.\nx", { content: "a\r\n", rest: "x" }],
  ["ends at CRLF.CRLF when lenient", LENIENT, "a\r\n.\r\nx", { content: "a\r\n", rest: "x" }],
  ["does not end at CR.CR when lenient", LENIENT, "a\r.\rx\r\n.\r\n", { content: "a . x\r\n" }],
  ["does not end at CRLF.CRCRLF when lenient", LENIENT, "a\r\n.\r\r\nx\r\n.\r\n", {
    content: "a\r\n\r\nx\r\n",
    rest: "",
  }],
  ["does not end at LF.CRCRLF when lenient", LENIENT, "a\n.\r\r\nx\n.\n", {
    content: "a\r\n\r\nx\r\n",
    rest: "",
  }],
  ["ends at CRCRLF.LF when lenient", LENIENT, "a\r\r\n.\nx", { content: "a\r\n", rest: "x" }],
  ["ends at CRCRLF.CRLF when lenient", LENIENT, "a\r\r\n.\r\nx", { content: "a\r\n", rest: "x" }],
  ["takes dots off when lenient", LENIENT, "..a\n..b\n.\n", { content: ".a\r\n.b\r\n" }],
  ["keeps dots in BDAT", BDAT, ".a\r\n.\r\n..\r\n", { content: ".a\r\n.\r\n..\r\n" }],
  ["makes CRLF of a bare LF in BDAT", BDAT, "a\nb\r\n", { content: "a\r\nb\r\n", bareLf: true }],
  ["makes a space of a stray CR in BDAT", BDAT, "a\rb\r\n", { content: "a b\r\n" }],
  ["ends the last line of BDAT", BDAT, "a", { content: "a\r\n", bareLf: false }],
  ["ends the last line of BDAT after a CR", BDAT, "a\r", { content: "a \r\n" }],
  ["takes all CR before LF for the line end in BDAT", BDAT, "a\r\r\n\r\r\n.\r\r\n", {
    content: "a\r\n\r\n.\r\n",
    bareLf: false,
  }],
  ["ends the last line of BDAT after several CR", BDAT, "a\r\r", { content: "a  \r\n" }],
  ["leaves an empty BDAT empty", BDAT, "", { content: "" }],
];

for (const [reason, options, input, expected] of rows) {
  Deno.test(`ContentReader ${reason}: ${JSON.stringify(input)}`, () => {
    const whole = read(options, [encoder.encode(input)]);
    for (const [key, value] of Object.entries(expected)) {
      assertEquals(whole[key as keyof Result], value, key);
    }
    assertEquals(read(options, bytewise(input)), whole, "byte by byte");
    fc.assert(
      fc.property(fc.array(fc.nat(100), { maxLength: 6 }), (places) => {
        assertEquals(read(options, cut(encoder.encode(input), places)), whole);
      }),
      { numRuns: 50 },
    );
  });
}

const hostile = fc.array(
  fc.constantFrom("\r", "\n", ".", "a", "\r\n", "\r\n.\r\n", "\n.\n", "\0"),
  {
    maxLength: 40,
  },
).map((parts) => parts.join(""));

Deno.test("ContentReader makes of content what rewriting it line end by line end makes", () => {
  fc.assert(
    fc.property(hostile, (input) => {
      const lines = input.replace(/\r*\n/g, "\n").replace(/\r/g, " ").replace(/([^\n])$/, "$1\n");
      assertEquals(read(BDAT, [encoder.encode(input)]).content, lines.replace(/\n/g, "\r\n"));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("ContentReader gives CRLF text that ends only where CRLF.CRLF stands, however it is cut", () => {
  fc.assert(
    fc.property(hostile, fc.array(fc.nat(200), { maxLength: 8 }), (input, places) => {
      const whole = read(STRICT, [encoder.encode(input)]);
      assertEquals(read(STRICT, cut(encoder.encode(input), places)), whole);
      const end = `\r\n${input}`.indexOf("\r\n.\r\n");
      assertEquals(whole.content !== undefined, end >= 0);
      if (end >= 0) assertEquals(whole.rest, input.slice(end + 3));
      assert(!/\r(?!\n)|(?<!\r)\n/.test(whole.content ?? ""));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("ContentReader ends only at a line of one dot and at most one CR when lenient", () => {
  fc.assert(
    fc.property(hostile, (input) => {
      const end = /(?<=^|\n)\.\r?\n/.exec(input);
      const whole = read(LENIENT, [encoder.encode(input)]);
      assertEquals(whole.content !== undefined, end !== null);
      if (end) assertEquals(whole.rest, input.slice(end.index + end[0].length));
    }),
    { numRuns: 3000 },
  );
});

for (const [mode, options] of Object.entries({ STRICT, LENIENT, BDAT })) {
  Deno.test(`ContentReader (${mode}) gives the same CRLF text however the bytes are cut`, () =>
    fc.assert(
      fc.property(hostile, fc.array(fc.nat(200), { maxLength: 8 }), (input, places) => {
        const whole = read(options, [encoder.encode(input)]);
        assertEquals(read(options, cut(encoder.encode(input), places)), whole);
        assertEquals(read(options, bytewise(input)), whole);
        assert(!/\r(?!\n)|(?<!\r)\n/.test(whole.content ?? ""));
      }),
      { numRuns: 1000 },
    ));
}

for (
  const [reason, length, line] of [
    ["is a line end", MAX_HELD_CRS - 1, ""],
    ["is a line end but for its first part", MAX_HELD_CRS + 1, " ".repeat(MAX_HELD_CRS)],
  ] as const
) {
  Deno.test(`ContentReader: a run of ${length} CR ${reason}`, () => {
    const bytes = encoder.encode(`a\r\n${"\r".repeat(length)}\n.\r\n`);
    const content = `a\r\n${line}\r\n`;
    assertEquals(read(STRICT, [bytes]), { content, rest: "", bareLf: false });
    assertEquals(read(STRICT, cut(bytes, [3, 1000, 40_000])).content, content);
  });
}

Deno.test("ContentReader passes lines that need no change on as one view", () => {
  const chunk = encoder.encode("Subject: x\r\n\r\nline\r\n\r\n\r\nline\r\n"),
    out: Uint8Array[] = [];
  new ContentReader(STRICT).push(chunk, out);
  assertEquals(out.length, 1);
  assertEquals(out[0]!.buffer, chunk.buffer);
});
