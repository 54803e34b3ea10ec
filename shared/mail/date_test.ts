import { assertEquals, assertMatch } from "@std/assert";
import { mailDate } from "./date.ts";

Deno.test("mailDate() writes the form of RFC 5322 and means the same instant", () => {
  for (const at of [0, 951_782_400_000, 1_732_150_923_000, 4_102_444_799_000]) {
    const text = mailDate(at + 999);
    assertMatch(
      text,
      /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} ([0-9]{2}:){2}[0-9]{2} [+-][0-9]{4}$/,
    );
    assertEquals(Date.parse(text), at);
  }
});
