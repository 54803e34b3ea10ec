import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { anyCharacter } from "../../tests/support/hostile.ts";
import { lowerCase, upperCase } from "./keyword.ts";

Deno.test("upperCase() changes ASCII letters and nothing else", () =>
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => {
    const upper = upperCase(text);
    assertEquals(upper.length, text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i), isLower = code >= 97 && code <= 122;
      assertEquals(upper.charCodeAt(i), isLower ? code - 32 : code);
    }
  })));

Deno.test("lowerCase() undoes upperCase() on ASCII, and changes nothing else", () =>
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => {
    const lower = lowerCase(text);
    assertEquals(lower.length, text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i), isUpper = code >= 65 && code <= 90;
      assertEquals(lower.charCodeAt(i), isUpper ? code + 32 : code);
    }
    assertEquals(upperCase(lower), upperCase(text));
  })));
