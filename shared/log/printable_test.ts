import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatJson } from "./format.ts";
import { MAX_LOG_TEXT, printable } from "./printable.ts";

/** What ends a line, moves a terminal's cursor, or shows text in another order. */
const HARMFUL =
  // deno-lint-ignore no-control-regex
  /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;
const any = fc.string({
  unit: fc.oneof(
    fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
    fc.constantFrom("\n", "\x1b[2J", "\x9b", "\u202e", "\u2028", "\ud800", "é", "a"),
  ),
});

Deno.test("printable() leaves nothing harmful, is bounded, and changes nothing twice", () =>
  fc.assert(fc.property(any, fc.nat({ max: 3000 }), (text, times) => {
    const line = printable(text.repeat(Math.ceil(times / (text.length || 1))));
    assert(!HARMFUL.test(line) && line.isWellFormed());
    assert(line.length <= MAX_LOG_TEXT + 3);
    assertEquals(printable(line), line.length > MAX_LOG_TEXT ? printable(line) : line);
  })));

Deno.test("formatJson() leaves nothing harmful in the fields of an event, and stays JSON", () =>
  fc.assert(fc.property(any, any, (name, value) => {
    const origin = { process: "postfix/smtpd", pid: 1, hostname: "h" };
    const line = formatJson(origin, "info", "text", { [name]: value, __proto__: value });
    assert(!HARMFUL.test(line), JSON.stringify(line));
    assertEquals(JSON.parse(line).text, "text");
  })));
