import { assertEquals } from "@std/assert";
import fc from "fast-check";
import TypeBox from "typebox";
import { Compile } from "typebox/schema";
import { PROTOTYPE_NAMES } from "../../tests/support/hostile.ts";
import { count, shape, Type } from "./schema.ts";

const name = { pattern: "^[a-z]$" };
const built = (from: typeof Type) => [
  from.Array(from.Boolean(), { maxItems: 2 }),
  from.Enum(["a", "b"]),
  from.Integer({ minimum: 0 }),
  from.Literal(true),
  from.Null(),
  from.Number({ minimum: 0 }),
  from.String({ maxLength: 3 }),
  from.Union([from.Null(), from.Literal("a")]),
];

Deno.test("Type gives the schemas that TypeBox gives", () => {
  assertEquals(JSON.stringify(built(Type)), JSON.stringify(built(TypeBox)));
});

/** Ours and TypeBox's, which have to accept the same values. */
const PAIRS = [
  [shape({ a: count(), b: Type.Null() }), closed({ a: count(), b: TypeBox.Null() })],
  [
    shape({ a: count(), b: Type.Optional(Type.Null()) }),
    closed({ a: count(), b: TypeBox.Optional(TypeBox.Null()) }),
  ],
  [shape({ a: Type.Optional(count()) }), closed({ a: TypeBox.Optional(count()) })],
  [
    Type.Record(Type.String(name), count()),
    TypeBox.Record(TypeBox.String(name), count(), { additionalProperties: false }),
  ],
].map(([ours, theirs]) => [Compile(ours!), Compile(theirs!)] as const);

function closed(properties: Parameters<typeof TypeBox.Object>[0]) {
  return TypeBox.Object(properties, { additionalProperties: false });
}

Deno.test("shape() and Record() take what TypeBox's take, and no name of the prototype", () => {
  const key = fc.constantFrom("a", "b", "ab", "", ...PROTOTYPE_NAMES);
  const json = fc.array(fc.tuple(key, fc.constantFrom("1", "null", "{}", `"x"`)), { maxLength: 3 })
    .map((fields) => `{${fields.map(([key, value]) => `${JSON.stringify(key)}:${value}`)}}`);
  fc.assert(
    fc.property(fc.constantFrom(...PAIRS), json, ([ours, theirs], json) => {
      assertEquals(ours.Check(JSON.parse(json)), theirs.Check(JSON.parse(json)), json);
    }),
    { numRuns: 3000 },
  );
  for (const [ours] of PAIRS) {
    for (const value of [null, [], 1, "a"]) assertEquals(ours.Check(value), false);
  }
});
