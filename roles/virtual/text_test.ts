import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { deliveryHeaders, toLf } from "./text.ts";

Deno.test("toLf() gives the same bytes however the text is cut", () =>
  fc.assert(fc.property(
    fc.array(fc.constantFrom("\r\n", "a", "\0", "é", "long text"), { maxLength: 30 }),
    fc.nat(),
    (parts, cut) => {
      const bytes = new TextEncoder().encode(parts.join(""));
      const at = cut % (bytes.length + 1);
      const pieces = [...toLf(bytes.subarray(0, at)), ...toLf(bytes.subarray(at))];
      const expected = new TextEncoder().encode(parts.join("").replaceAll("\r\n", "\n"));
      assertEquals([Uint8Array.from(pieces), toLf(bytes)], [expected, expected]);
    },
  )));

Deno.test("toLf() takes off CRs and nothing else, of any bytes and of much text", () => {
  const without = (bytes: Uint8Array) => bytes.filter((byte) => byte !== 13);
  fc.assert(fc.property(
    fc.oneof(fc.uint8Array(), fc.uint8Array({ max: 20 }), fc.uint8Array({ min: 120 })),
    (bytes) => assertEquals(toLf(bytes), without(bytes)),
  ));
  for (const line of ["text\r\n", "tëxt\r\n"]) {
    const much = new TextEncoder().encode(line.repeat(30_000));
    assertEquals(toLf(much).length, without(much).length);
  }
});

Deno.test("deliveryHeaders() writes the envelope in external form", () => {
  const text = (original: string) =>
    new TextDecoder().decode(deliveryHeaders("", { address: "a b@x", original }));
  assertEquals(text(""), 'Return-Path: <>\nDelivered-To: "a b"@x\n');
  assertEquals(text("c@x"), 'Return-Path: <>\nX-Original-To: c@x\nDelivered-To: "a b"@x\n');
});
