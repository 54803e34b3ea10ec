import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { assertQuick } from "../../tests/support/hostile.ts";
import { worked } from "../../tests/support/work.ts";
import { parseContentType, parseEncoding } from "./content_type.ts";

for (
  const [value, type, boundary] of [
    [" multipart/mixed; boundary=abc", "multipart/mixed", "abc"],
    ['Multipart/Mixed;\r\n\tBOUNDARY="a b;c\\"d"', "multipart/mixed", 'a b;c"d'],
    [
      " multipart / mixed (x(y)\\)) ; charset=x; boundary (z) = abc (w)",
      "multipart/mixed",
      "abc",
    ],
    [' multipart/mixed; name="; boundary=no"; boundary=yes', "multipart/mixed", "yes"],
    [" multipart/mixed; junk; boundary=abc", "multipart/mixed", "abc"],
    [" multipart/mixed; boundary=----=_Next.0; x=y", "multipart/mixed", "----=_Next.0"],
    [" multipart/mixed; boundary=a/b:c?d@e,[f]\r\n\tx", "multipart/mixed", "a/b:c?d@e,[f]"],
    [' multipart/mixed; boundary=a"b\\\u00e4', "multipart/mixed", 'a"b\\\u00e4'],
    [" multipart/mixed; boundary=abc(w)", "multipart/mixed", "abc"],
    [' multipart/mixed; name=a"b;boundary=no"; boundary=yes', "multipart/mixed", "yes"],
    [" multipart/mixed; boundary= ; boundary=no", "multipart/mixed", ""],
    [' multipart/mixed; boundary="open', "multipart/mixed", "open"],
    [" text/html", "text/html", ""],
    [" text", "text/plain", ""],
    ["", "text/plain", ""],
  ] as const
) {
  Deno.test(`parseContentType() reads ${JSON.stringify(value)}`, () => {
    assertEquals(parseContentType(value), { type, boundary });
  });
}

for (
  const [value, mechanism] of [
    [" 8bit", "8bit"],
    [" 8BIT\r\n", "8bit"],
    [" (8bit (is) what\r\n\tI \\) say) Binary (x)", "binary"],
    [" 8bit(x)", "8bit"],
    [" 8bit; x", "8bit"],
    [" 8bit-foo", "8bit-foo"],
    [" 8bit.", "8bit."],
    [' "8bit"', ""],
    [" (8bit)", ""],
    [" (8bit", ""],
    ["", ""],
  ] as const
) {
  Deno.test(`parseEncoding() reads ${JSON.stringify(value)}`, () => {
    assertEquals(parseEncoding(value), mechanism);
  });
}

Deno.test("parseContentType() reads any text", () => {
  const characters = fc.constantFrom(...'multipart/mixed; boundary=x"\\()\r\n\t\u00ff');
  fc.assert(fc.property(fc.array(characters, { maxLength: 60 }), (made) => {
    const { type, boundary } = parseContentType(made.join(""));
    assertEquals([typeof type, typeof boundary], ["string", "string"]);
  }));
});

Deno.test("parseContentType() is quick with half a megabyte of brackets", () => {
  const before = worked();
  parseContentType("multipart/mixed;" + "(".repeat(500_000));
  parseContentType("multipart/mixed;" + "\\".repeat(500_000));
  parseEncoding("(".repeat(500_000));
  // Minutes if it were quadratic.
  assertEquals(worked() - before < 10_000, true);
});

Deno.test("parseContentType() and parseEncoding() take time in proportion to their text", () => {
  const parts = [
    "a",
    "/",
    ";",
    "=",
    '"',
    "\\",
    "(",
    ")",
    "(\\",
    " ",
    ";a=",
    ';a="',
    "; boundary",
    "()",
  ];
  for (const parse of [parseContentType, parseEncoding]) {
    assertQuick(parse, parts, { around: ["", "a/b;", 'a/b; x="', "a/b ("] });
  }
});
