import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { findLineEnd, skipText, wordsOf } from "./scan.ts";

const bytes = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(9, 10, 13, 14, 0x80, 0xff)),
  { maxLength: 40 },
).map((each) => Uint8Array.from(each));

Deno.test("findLineEnd() finds what indexOf() finds, in views that begin anywhere", () => {
  fc.assert(fc.property(bytes, fc.nat(7), fc.nat(40), (all, cut, at) => {
    const view = all.subarray(cut);
    for (const byte of [10, 13]) {
      assertEquals(findLineEnd(view, wordsOf(view), at, byte), view.indexOf(byte, at));
    }
  }));
});

Deno.test("skipText() skips nothing but text", () => {
  fc.assert(fc.property(bytes, fc.nat(40), (all, at) => {
    const to = skipText(wordsOf(all), at);
    assert(to >= at);
    assert(all.subarray(at, to).every((byte) => byte > 13));
  }));
});
