import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../errors.ts";
import { splitList } from "../parameters/split_list.ts";
import { assertQuick, attempt, near } from "../../tests/support/hostile.ts";
import { forbiddenCommands } from "./forbidden_commands.ts";

const compiled = (text: string) => forbiddenCommands(splitList(text));

Deno.test("forbiddenCommands() has a test for verbs or ConfigError for any text", () => {
  const text = near(
    "CONNECT",
    "get",
    "regexp:{",
    "{/^[a-z]+$/ Bogus}",
    "}",
    "{",
    "/x/",
    " ",
    "(",
    "*",
    "pcre:",
  );
  fc.assert(fc.property(text, near("GET", "connect", ":", " "), (text, verb) => {
    const forbidden = attempt(() => compiled(text), ConfigError);
    if (forbidden) assertEquals(typeof forbidden(verb), "boolean");
  }));
});

Deno.test("forbiddenCommands() forbids the words that are listed, in any case of ASCII, and no others", () => {
  const word = fc.stringMatching(/^[A-Za-z_]{1,10}$/);
  fc.assert(fc.property(fc.array(word, { maxLength: 5 }), word, (list, verb) => {
    const forbidden = compiled(list.join(" "));
    for (const each of list) assert(forbidden(each) && forbidden(each.toLowerCase()));
    const listed = list.some((each) => each.toUpperCase() === verb.toUpperCase());
    assertEquals(forbidden(verb), listed);
  }));
  assertEquals(compiled("POST")("po\u017ft"), false);
});

Deno.test("forbiddenCommands() takes time in proportion to its text and to the verb", () => {
  assertQuick(compiled, ["a", "a ", "{", "/", "regexp:{", "{/a/ b} "], {
    around: ["", "regexp:{{/"],
    declared: [ConfigError],
  });
  const nested = compiled("regexp:{{/^(a+)+$/ x} {/^(a|aa)*b/ x}}");
  assertQuick(nested, ["a", "aa", "b"]);
});
