import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { upperCase } from "./keyword.ts";

Deno.test("upperCase() changes ASCII letters and nothing else", () =>
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const upper = upperCase(text);
    assertEquals(upper.length, text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i), isLower = code >= 97 && code <= 122;
      assertEquals(upper.charCodeAt(i), isLower ? code - 32 : code);
    }
  })));
