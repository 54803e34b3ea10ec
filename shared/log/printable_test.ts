import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatJson } from "./format.ts";
import { MAX_LOG_TEXT, printable, printableJson } from "./printable.ts";

/** What ends a line, moves a terminal's cursor, shows text in another order or hides it: each range with its ends. */
const RANGES: readonly [number, number][] = [
  [0, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe007f],
];
const HARMFUL = new RegExp(
  `[${RANGES.map(([from, to]) => `\\u{${from.toString(16)}}-\\u{${to.toString(16)}}`).join("")}]`,
  "u",
);
const any = fc.string({
  unit: fc.oneof(
    fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
    fc.constantFrom("\n", "\x1b[2J", "\x9b", "\u202e", "\u{e0041}", "\ud800", "é", "a"),
  ),
});

Deno.test("printable() leaves nothing harmful, is bounded, and changes nothing twice", () =>
  fc.assert(fc.property(any, fc.nat({ max: 3000 }), (text, times) => {
    const line = printable(text.repeat(Math.ceil(times / (text.length || 1))));
    assert(!HARMFUL.test(line) && line.isWellFormed());
    assert(line.length <= MAX_LOG_TEXT + 3);
    assertEquals(printable(line), line.length > MAX_LOG_TEXT ? printable(line) : line);
  })));

for (const [from, to] of RANGES) {
  Deno.test(`printable() shows each of U+${from.toString(16)} to U+${to.toString(16)} as ?`, () => {
    for (let code = from; code <= to; code++) {
      assertEquals(printable(`a${String.fromCodePoint(code)}é`), "a?é", code.toString(16));
    }
  });
}

Deno.test("printable() leaves the letters of all scripts, accents and pictures as they are", () => {
  const text = "Zürich e\u0301 \u05d0\u05d1 \u0627\u0644 \u65e5\u672c \u{1f4ec} a\u00a0b";
  assertEquals(printable(text), text);
});

Deno.test("printableJson() has nothing harmful, and is the same when it is read", () =>
  fc.assert(fc.property(any, (text) => {
    const json = printableJson({ text });
    assert(!HARMFUL.test(json), json);
    assertEquals(JSON.parse(json).text, text);
  })));

Deno.test("formatJson() leaves nothing harmful in the fields of an event, and stays JSON", () =>
  fc.assert(fc.property(any, any, (name, value) => {
    const origin = { process: "postfix/smtpd", pid: 1, hostname: "h" };
    const line = formatJson(origin, "info", "text", { [name]: value, __proto__: value });
    assert(!HARMFUL.test(line), JSON.stringify(line));
    assertEquals(JSON.parse(line).text, "text");
  })));
