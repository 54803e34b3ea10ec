import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { anyCharacter } from "../tests/support/hostile.ts";
import { allocate, byteText, concat, textBytes, utf8Bytes, utf8Text } from "./bytes.ts";

const bytes = fc.uint8Array({ maxLength: 5000 });

Deno.test("utf8Bytes() gives what TextEncoder gives, of any length", () => {
  const check = (text: string) => assertEquals(utf8Bytes(text), new TextEncoder().encode(text));
  fc.assert(fc.property(fc.string({ unit: anyCharacter, maxLength: 3000 }), check));
  for (const length of [0, 8191, 8192, 8193, 100_000]) check("€".repeat(length));
});

Deno.test("utf8Text() gives what a fatal TextDecoder gives, and refuses what that refuses", () => {
  fc.assert(fc.property(bytes, (data) => {
    let expected: string | undefined;
    try {
      expected = new TextDecoder("utf-8", { fatal: true }).decode(data);
    } catch {
      assertThrows(() => utf8Text(data), TypeError);
      return;
    }
    assertEquals(utf8Text(data), expected);
  }));
  for (const text of ["", "a", "é\u2028\u{10ffff}", "it has a \ufffd of its own"]) {
    assertEquals(utf8Text(new TextEncoder().encode(text)), text);
  }
});

Deno.test("byteText() and textBytes() are each other's inverse for every byte", () => {
  fc.assert(fc.property(bytes, (data) => {
    const text = byteText(data);
    assertEquals([text.length, textBytes(text)], [data.length, data]);
    if (data.length > 2) assertEquals(byteText(data, 1, 3), text.slice(1, 3));
  }));
  assertEquals(byteText(Uint8Array.of(0x80, 0x9f, 0xff)), "\x80\x9f\xff");
  assertEquals(byteText(Uint8Array.of(1, 2, 65, 66).subarray(2)), "AB");
});

Deno.test("allocate() never gives the same byte twice", () => {
  fc.assert(fc.property(fc.array(fc.nat(3000), { maxLength: 50 }), (lengths) => {
    const all = lengths.map((length, i) => allocate(length).fill(i));
    assertEquals(
      all.map((each, i) => each.every((byte) => byte === (i & 255))),
      all.map(() => true),
    );
    assertEquals(all.map((each) => each.length), lengths);
  }));
});

Deno.test("concat() joins arrays of any length", () => {
  fc.assert(fc.property(fc.array(bytes, { maxLength: 5 }), (parts) => {
    assertEquals([...concat(parts)], parts.flatMap((part) => [...part]));
  }));
});
