import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { byteText, concat } from "../../shared/bytes.ts";
import { Stuffer, stuffWhole } from "./body.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function stuff(text: string, limit = 998): string {
  return decode(concat(stuffWhole(encode(text), new Stuffer(limit))));
}

for (
  const [why, text, expected] of [
    ["is empty", "", ".\r\n"],
    ["has no dots", "a\r\nb.c\r\n", "a\r\nb.c\r\n.\r\n"],
    ["begins with a dot", ".a\r\n", "..a\r\n.\r\n"],
    ["has a line of one dot", "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"],
    ["has no line end at its end", "a", "a\r\n.\r\n"],
    ["ends with a dot alone", "a\r\n.", "a\r\n..\r\n.\r\n"],
  ] as const
) {
  Deno.test(`stuffWhole() ends content that ${why}`, () => assertEquals(stuff(text), expected));
}

Deno.test("Stuffer breaks lines over the limit, and leaves those at the limit alone", () => {
  assertEquals(stuff("12345\r\n", 5), "12345\r\n.\r\n");
  assertEquals(stuff("123456\r\n", 5), "12345\r\n 6\r\n.\r\n");
  assertEquals(stuff("1234567890\r\n.x\r\n", 5), "12345\r\n 6789\r\n 0\r\n..x\r\n.\r\n");
  assertEquals(stuff("x".repeat(5000) + "\r\n", 0), "x".repeat(5000) + "\r\n.\r\n");
});

Deno.test("Stuffer does not break inside a UTF-8 character", () => {
  assertEquals(stuff("1234ü\r\n", 5), "1234\r\n ü\r\n.\r\n");
});

Deno.test("Stuffer passes a chunk on uncopied when it needs nothing", () => {
  const chunk = encode("a\r\nb\r\n");
  assertEquals(new Stuffer(998).push(chunk) === chunk, true);
});

/** Lines without line ends inside, some with dots at the start, some long. */
const lines = fc.array(
  fc.string({ maxLength: 30 }).map((text) => text.replace(/[\r\n ]/g, ".")),
  { maxLength: 12 },
);

/** What a stuffer makes of content that is cut into pieces of these lengths, and of the rest. */
function inPieces(stuffer: Stuffer, content: Uint8Array, lengths: readonly number[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const length of [...lengths, content.length]) {
    parts.push(stuffer.push(content.subarray(at, at + length)).slice());
    at = Math.min(content.length, at + length);
  }
  return concat(parts);
}

Deno.test("Stuffer gives the same bytes however the content is cut, and a server gets it back", () => {
  fc.assert(fc.property(lines, fc.array(fc.nat(40)), (made, cuts) => {
    const text = made.map((line) => line + "\r\n").join("");
    const stuffer = new Stuffer(0);
    const out = decode(inPieces(stuffer, encode(text), cuts)) + decode(stuffer.end());
    assertEquals(out, stuff(text, 0));
    assertEquals(out.slice(0, -3).replace(/(^|\r\n)\./g, "$1"), text);
    assertEquals(("\r\n" + out).indexOf("\r\n.\r\n"), out.length - 3);
  }));
});

Deno.test("Stuffer breaks lines in the same places however the content is cut", () => {
  fc.assert(
    fc.property(
      lines,
      fc.array(fc.nat(9)),
      fc.integer({ min: 2, max: 20 }),
      (made, cuts, limit) => {
        const bytes = encode(made.map((line) => line.repeat(2)).join("\r\n"));
        const stuffer = new Stuffer(limit);
        const out = concat([inPieces(stuffer, bytes, cuts), stuffer.end()]);
        assertEquals(byteText(out), byteText(concat(stuffWhole(bytes, new Stuffer(limit)))));
      },
    ),
  );
});

Deno.test("Stuffer never lets a line pass the limit", () => {
  fc.assert(
    fc.property(
      lines,
      fc.array(fc.nat(40)),
      fc.integer({ min: 8, max: 20 }),
      (made, cuts, limit) => {
        const bytes = encode(made.map((line) => line.repeat(3) + "\r\n").join(""));
        const out = decode(inPieces(new Stuffer(limit), bytes, cuts));
        for (const line of out.split("\r\n")) {
          // The dot that is stuffed is not the sender's.
          assertEquals(encode(line.replace(/^\.\./, ".")).length <= limit, true);
        }
        assertEquals(
          out.replaceAll("\r\n ", "").replace(/(^|\r\n)\./g, "$1"),
          decode(bytes),
        );
      },
    ),
  );
});
