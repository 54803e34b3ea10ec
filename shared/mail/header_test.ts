import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { textBytes } from "../bytes.ts";
import { FieldNames, fieldText, HeaderScanner, unfold } from "./header.ts";

const NAMES = new FieldNames(["received", "bcc", "subject", "message-id", "__proto__"]);

function scan(text: string, limit?: number) {
  const content = textBytes(text);
  const scanner = new HeaderScanner(NAMES, limit);
  assertEquals(scanner.scan(content, true), true);
  const { ending, end, resent } = scanner;
  const fields = scanner.fields.map((field) => [field.name, fieldText(content, field)]);
  return { ending, head: text.slice(0, end), fields, resent };
}

Deno.test("scan() finds the fields it was asked for, in any case, and the empty line", () => {
  assertEquals(
    scan("RECEIVED: a\r\nX-Other: b\r\nsubject: c\r\n d\r\n\r\nBcc: not a header\r\n"),
    {
      ending: "empty line",
      head: "RECEIVED: a\r\nX-Other: b\r\nsubject: c\r\n d\r\n",
      fields: [["received", "a"], ["subject", "c\r\n d"]],
      resent: false,
    },
  );
});

Deno.test("scan() finds fields nobody asked for whose colon stands apart", () => {
  assertEquals(scan("X-Other\t : b\r\n c\r\nX-Other: d\r\n\r\n").fields, [["", "b\r\n c"]]);
});

Deno.test("scan() takes folded lines of fields nobody asked for with them", () => {
  assertEquals(scan("X-Other: b\r\n Bcc: no\r\n\tBcc: no\r\nBcc : yes\r\n\r\n").fields, [
    ["bcc", "yes"],
  ]);
});

for (
  const [why, text, ending, head] of [
    ["a line without colon", "Bcc: a\r\nno header\r\nBcc: b\r\n", "text", "Bcc: a\r\n"],
    ["white space on the first line", " x\r\nBcc: b\r\n", "text", ""],
    ["a colon without a name", ": x\r\n", "text", ""],
    ["a name with a control character", "B\0cc: x\r\n\r\n", "text", ""],
    ["a name beyond ASCII", "B\u00e9cc: x\r\n\r\n", "text", ""],
    ["a space inside a name", "From me: x\r\n\r\n", "text", ""],
    ["nothing at all", "", "end of message", ""],
    ["an empty line at once", "\r\nBcc: b\r\n", "empty line", ""],
    ["no body", "Bcc: a\r\n", "end of message", "Bcc: a\r\n"],
    ["a last line that is cut off", "Bcc: a\r\nBcc: b", "end of message", "Bcc: a\r\nBcc: b"],
  ] as const
) {
  Deno.test(`scan() ends the section at ${why}`, () => {
    const found = scan(text);
    assertEquals([found.ending, found.head], [ending, head]);
  });
}

for (
  const [why, text, ending, end] of [
    ["a field that reaches over it", "Bcc: " + "x".repeat(100) + "\r\n\r\n", "limit", 8],
    ["a folded line behind it", "Bcc: b\r\n" + " x\r\n".repeat(100), "limit", 48],
    ["a name that is cut by it", "X: " + "x".repeat(34) + "\r\nBcc: b\r\n\r\n", "limit", 47],
    ["an empty line there", "X: " + "x".repeat(37) + "\r\n\r\nx", "empty line", 50],
    ["a long line that is no header", "\0".repeat(100), "text", 8],
  ] as const
) {
  Deno.test(`scan() finds ${ending} at the limit where there is ${why}`, () => {
    const found = scan(`Bcc: a\r\n${text}`, 50);
    assertEquals([found.ending, found.head.length], [ending, end]);
  });
}

Deno.test("scan() knows a message that was sent again", () => {
  assertEquals(scan("Resent-Date: x\r\n\r\n").resent, true);
  assertEquals(scan("Date: Resent-Date: x\r\n\r\n").resent, false);
});

Deno.test("scan() says the same wherever the message is cut", () => {
  const line = fc.oneof(
    fc.constantFrom(
      "\r\n",
      "Bcc: a\r\n",
      "Received: x\r\n",
      " folded\r\n",
      "X: y\r\n",
      "Bcc : \r\n",
    ),
    fc.string().map((text) => text.replace(/[\r\n]|[^\0-\xff]/g, "") + "\r\n"),
  );
  fc.assert(fc.property(
    fc.array(line, { maxLength: 12 }).map((lines) => lines.join("")),
    fc.array(fc.nat(), { maxLength: 8 }),
    fc.constantFrom(30, 1000),
    (text, cuts, limit) => {
      const content = textBytes(text);
      const pieces = new HeaderScanner(NAMES, limit);
      const at = cuts.map((cut) => cut % (content.length + 1)).sort((a, b) => a - b);
      at.some((cut) => pieces.scan(content.subarray(0, cut), false)) || pieces.scan(content, true);
      const whole = new HeaderScanner(NAMES, limit);
      whole.scan(content, true);
      assertEquals(
        [pieces.end, pieces.ending, pieces.fields],
        [whole.end, whole.ending, whole.fields],
      );
      assertEquals(text.startsWith(text.slice(0, whole.end)), true);
    },
  ));
});

Deno.test("unfold() joins folded lines and keeps their white space", () => {
  assertEquals(unfold(" a\r\n b\r\n\tc \r\n"), "a b\tc");
});

Deno.test("scan() goes no further than a thousand fields that it was asked for", () => {
  assertEquals(scan("Bcc: a\r\n".repeat(1000) + "X: y\r\n\r\n").ending, "empty line");
  const found = scan("X: y\r\n" + "Bcc: a\r\n".repeat(1001) + "X: y\r\n\r\n");
  assertEquals([found.ending, found.head.length, found.fields.length], ["limit", 8006, 1001]);
});
