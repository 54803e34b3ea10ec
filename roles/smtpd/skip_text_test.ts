import { assert } from "@std/assert";
import fc from "fast-check";
import { skipText, wordsOf } from "./skip_text.ts";

const bytes = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(9, 10, 13, 14, 0x80, 0xff)),
  { maxLength: 40 },
).map((each) => Uint8Array.from(each));

Deno.test("skipText() skips nothing but text", () => {
  fc.assert(fc.property(bytes, fc.nat(40), (all, at) => {
    const to = skipText(wordsOf(all), at);
    assert(to >= at);
    assert(all.subarray(at, to).every((byte) => byte > 13));
  }));
});
