import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { assertQuick } from "../../tests/support/hostile.ts";
import { parseMainCf } from "./main_cf.ts";

function entries(text: string): Record<string, [string, number]> {
  return Object.fromEntries(
    [...parseMainCf(text, "main.cf").entries].map(([name, { raw, line }]) => [name, [raw, line]]),
  );
}

function messages(text: string): string[] {
  return parseMainCf(text, "main.cf").problems.map(({ severity, message }) =>
    `${severity}: ${message}`
  );
}

Deno.test("parseMainCf() keeps each value as written, with the line of its name", () => {
  assertEquals(entries("# comment\n\na = 1\nb=$a  x \n  # indented comment\nc =\n"), {
    a: ["1", 3],
    b: ["$a  x", 4],
    c: ["", 6],
  });
});

Deno.test("parseMainCf() continues a line over comments and empty lines", () => {
  assertEquals(entries("a = 1,\n# comment\n\n\t2,\n   \n  3\nb = 4"), {
    a: ["1,\t2,  3", 1],
    b: ["4", 7],
  });
});

Deno.test("parseMainCf() splits at the first =, and takes values of any text", () => {
  assertEquals(entries("a = b = { c = d } # no comment\r\n"), {
    a: ["b = { c = d } # no comment", 1],
  });
});

Deno.test("parseMainCf() lets the last of several entries count, and says so", () => {
  assertEquals(entries("a = 1\na = 2"), { a: ["2", 2] });
  assertEquals(messages("a = 1\na = 2"), [
    "warning: main.cf, line 2: a: replaces the entry of line 1",
  ]);
});

for (
  const [reason, line, message] of [
    ["no =", "foo", 'must be "name = value", the = is missing: "foo"'],
    ["no name", "= x", 'must be "name = value", the name is missing: "= x"'],
    [
      "a name of two words",
      "a b = x",
      'must be "name = value", a name has no white space: "a b = x"',
    ],
    ["a NUL byte", "a = x\0y", "must have no NUL byte"],
  ] as const
) {
  Deno.test(`parseMainCf() reports a line with ${reason}, and reads on`, () => {
    const text = `y = 0\n${line}\nz = 1`;
    assertEquals(messages(text), [`fatal: main.cf, line 2: ${message}`]);
    assertEquals(entries(text)["z"]?.[0], "1");
  });
}

Deno.test("parseMainCf() passes over a first line that continues nothing, as Postfix does", () => {
  const text = "# c\n a = x\nz = 1";
  assertEquals(messages(text), [
    "warning: main.cf, line 2: must not start with white space, there is no line to continue: " +
    'it has no effect: " a = x"',
  ]);
  assertEquals(Object.keys(entries(text)), ["z"]);
});

Deno.test("parseMainCf() takes __proto__ and constructor for names like others", () => {
  const { entries } = parseMainCf("__proto__ = a\nconstructor = b\n", "main.cf");
  assertEquals(entries.get("__proto__")?.raw, "a");
  assertEquals(entries.get("constructor")?.raw, "b");
});

Deno.test("parseMainCf() takes any bytes without failing, and its own values back", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    parseMainCf(new TextDecoder().decode(bytes), "main.cf");
  }));
  fc.assert(fc.property(
    fc.stringMatching(/^[a-z_]{1,20}$/),
    fc.stringMatching(/^([!-~]([ -~]{0,40}[!-~])?)?$/),
    (name, value) => {
      assertEquals(parseMainCf(`${name} = ${value}\n`, "main.cf").entries.get(name)?.raw, value);
    },
  ));
});

Deno.test("parseMainCf() gives every entry back, whatever its name, and however its lines are folded", () => {
  const name = fc.oneof(
    fc.constantFrom("__proto__", "constructor", "hasOwnProperty", "toString"),
    fc.stringMatching(/^[a-z_]{1,12}$/),
  );
  const words = fc.array(fc.stringMatching(/^[!-"$-~]{1,10}$/), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.dictionary(name, words),
      fc.constantFrom("\n ", "\n\t", "\n# c\n "),
      (all, fold) => {
        const text = Object.entries(all).map(([name, words]) =>
          `${name} =${fold}${words.join(fold)}\n`
        );
        const { entries, problems } = parseMainCf(text.join("#\n\n"), "main.cf");
        assertEquals(problems, []);
        const white = fold.at(-1)!;
        assertEquals(
          [...entries.values()].map(({ name, raw }) => [name, raw]),
          Object.entries(all).map(([name, words]) => [name, words.join(white)]),
        );
      },
    ),
  );
});

Deno.test("parseMainCf() takes time in proportion to its text", () => {
  const parts = ["a", "a=b\n", "=", " ", "\n", "\n ", "\n#", "\r", "\u2028", "a\n", "\v"];
  assertQuick((text) => parseMainCf(text, "main.cf"), parts, { around: ["", "a=", "a ="] });
});
