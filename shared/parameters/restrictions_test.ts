import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../errors.ts";
import { assertQuick, attempt, disguised, near } from "../../tests/support/hostile.ts";
import { restrictions } from "./restrictions.ts";

const { parse } = restrictions("x", "", { doc: "A test." });
const WORDS = ["permit", "REJECT", "warn_if_reject", "sleep", "5", "reject_unlisted_recipient"];
const text = near(...WORDS, "check_client_access hash:/x", "defer_if_permit", " ", ",", "{", "}");

Deno.test("restrictions() has steps or ConfigError for any text, in time", () => {
  fc.assert(fc.property(text, (text) => {
    for (const { name, argument, warn } of attempt(() => parse(text), ConfigError) ?? []) {
      assert(/^[a-z_]+$/.test(name) && typeof warn === "boolean");
      assertEquals(argument !== "", name === "sleep");
      assert(Number(argument) <= 999);
    }
  }));
  assertQuick(parse, [
    "permit ",
    "a",
    "reject_",
    " ",
    "{",
    "{}",
    "check_",
    "a:b ",
    "warn_if_reject ",
  ], {
    declared: [ConfigError],
  });
});

Deno.test("restrictions() gives back a list of what there is, in order and in any case", () => {
  const names = ["permit", "reject", "permit_mynetworks", "reject_unauth_destination", "defer"];
  const list = fc.array(fc.constantFrom(...names), { maxLength: 10 });
  fc.assert(
    fc.property(list, fc.constantFrom(" ", ", ", "\n\t"), fc.boolean(), (list, between, upper) => {
      const text = list.join(between);
      const found = parse(upper ? text.toUpperCase() : text);
      assertEquals(found.map(({ name }) => name as string), list);
    }),
  );
});

Deno.test("restrictions() takes nothing that only looks like a restriction", () => {
  for (
    const name of ["permit", "reject_unknown_recipient_domain", "permit_mynetworks", "sleep 1"]
  ) {
    for (const each of disguised(name)) {
      assertThrows(() => parse(each), ConfigError);
    }
  }
});
