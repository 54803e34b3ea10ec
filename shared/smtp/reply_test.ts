import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { anyCharacter } from "../../tests/support/hostile.ts";
import { reply } from "./reply.ts";

Deno.test("reply() writes code, enhanced code and text", () => {
  assertEquals(reply(250, "2.1.0", "Ok").wire, "250 2.1.0 Ok\r\n");
  assertEquals(reply(354, "", "End data").wire, "354 End data\r\n");
});

Deno.test("reply() writes all lines but the last with a hyphen", () => {
  assertEquals(
    reply(250, "", ["mail.test", "SIZE 1", "DSN"]).wire,
    "250-mail.test\r\n250-SIZE 1\r\n250 DSN\r\n",
  );
});

Deno.test("reply() makes the class of the enhanced code that of the code", () => {
  assertEquals(reply(450, "5.7.1", "no").dsn, "4.7.1");
});

Deno.test("reply() lets no line break or control character through", () => {
  assertEquals(reply(500, "5.5.2", "a\r\n250 b\0\u202e").wire, "500 5.5.2 a??250 b??\r\n");
});

Deno.test("soft() turns a permanent refusal into a temporary one, and leaves others alone", () => {
  assertEquals(reply(550, "5.1.1", "no").soft().wire, "450 4.1.1 no\r\n");
  assertEquals(reply(250, "2.0.0", "Ok").soft().wire, "250 2.0.0 Ok\r\n");
});

Deno.test("closes is true for 421 and 521 alone", () => {
  assertEquals([421, 521, 221, 554].map((code) => reply(code, "", "x").closes), [
    true,
    true,
    false,
    false,
  ]);
});

const hostile = fc.tuple(
  fc.string({ unit: anyCharacter, maxLength: 600 }),
  fc.constantFrom("", "\x9b", "\r\n250 ", "é", "\u{1f4ec}", "\ud800"),
  fc.nat({ max: 600 }),
).map(([text, more, times]) => text + more.repeat(times));

Deno.test("reply() of any text is a reply of its code alone, with lines of bounded length", () =>
  fc.assert(fc.property(
    fc.constantFrom(220, 250, 421, 554),
    fc.constantFrom("", "5.1.1"),
    fc.array(hostile, { minLength: 1, maxLength: 5 }),
    (code, dsn, texts) => {
      const { wire } = reply(code, dsn, texts);
      const lines = wire.split("\r\n");
      assertEquals(lines.pop(), "");
      assertEquals(lines.length, texts.length);
      lines.forEach((line, n) => {
        assertEquals(line.slice(0, 4), `${code}${n < lines.length - 1 ? "-" : " "}`);
        // deno-lint-ignore no-control-regex
        assertEquals(/[\x00-\x1f\x7f-\x9f]/.test(line), false);
        assert(line.isWellFormed());
        assert(new TextEncoder().encode(line).length <= 4 + 6 + 510, line);
      });
    },
  )));
