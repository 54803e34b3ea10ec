import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { PeerError } from "../errors.ts";
import { deliveryService } from "../protocols/delivery.ts";
import { services } from "../protocols/mod.ts";
import { anyCharacter, attempt, PROTOTYPE_NAMES } from "../../tests/support/hostile.ts";
import { worked } from "../../tests/support/work.ts";
import { callTable, Checker, encodeHeader, headerLimit } from "./check.ts";
import { count, line, shape, Type } from "./schema.ts";
import { Kind } from "./frame.ts";

const encoder = new TextEncoder();
const checkers = [...services, deliveryService("smtp")].flatMap((service) => callTable(service))
  .flatMap(({ request, reply }) => [request, reply]);
/** Everything that a header may have, and all that one may not. */
const sample = shape({
  name: line(10),
  number: count(9),
  list: Type.Array(line(5), { maxItems: 2 }),
});
const sampleChecker = new Checker(sample, "sample");

Deno.test("Checker makes a value or PeerError of any bytes, for every call that there is", () => {
  assert(checkers.length > 20);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.json({ maxDepth: 4 }).map((json) => encoder.encode(json)),
  );
  fc.assert(fc.property(bytes, fc.constantFrom(...checkers), (header, checker) => {
    attempt(() => checker.decode(header), PeerError);
  }));
});

Deno.test("Checker gives back what encodeHeader() wrote, and nothing that the declaration does not allow", () => {
  const value = fc.record({
    name: fc.string({ unit: anyCharacter, maxLength: 12 }),
    number: fc.oneof(fc.integer({ min: -2, max: 11 }), fc.double()),
    list: fc.array(fc.string({ maxLength: 6 }), { maxLength: 3 }),
  });
  fc.assert(fc.property(value, (value) => {
    const found = attempt(() => sampleChecker.decode(encodeHeader(value)), PeerError);
    // Half of a surrogate pair, and minus zero, do not cross.
    const same = JSON.parse(new TextDecoder().decode(encodeHeader(value)));
    const text = (each: string, max: number) =>
      // deno-lint-ignore no-control-regex
      [...each].length <= max && !/[\u0000-\u001f\u007f]/.test(each);
    const fits = text(value.name, 10) && Number.isInteger(value.number) && value.number >= 0 &&
      value.number <= 9 && value.list.length <= 2 && value.list.every((each) => text(each, 5));
    assertEquals(found, fits ? same : undefined);
  }));
});

const GOOD = `"name":"x","number":1,"list":[]`;
const BAD: [why: string, header: string][] = [
  ...PROTOTYPE_NAMES.map((name): [string, string] => [
    `a field ${name} more`,
    `{${GOOD},"${name}":{"name":"evil"}}`,
  ]),
  ["a field from the prototype only", `{"number":1,"list":[],"__proto__":{"name":"x"}}`],
  ["a list for an object", "[]"],
  ["null", "null"],
  ["nothing", ""],
  ["a number that overflows", `{"name":"x","number":1e999,"list":[]}`],
  ["a number as text", `{"name":"x","number":"1","list":[]}`],
  ["a list nested 100,000 deep", "[".repeat(100_000) + "]".repeat(100_000)],
  ["objects nested 100,000 deep", '{"name":'.repeat(100_000) + "1" + "}".repeat(100_000)],
  ["a text of a megabyte", `{"name":"${"x".repeat(1e6)}","number":1,"list":[]}`],
  ["two values", `{${GOOD}}{${GOOD}}`],
];
for (const [why, header] of BAD) {
  Deno.test(`Checker refuses ${why}, at once`, () => {
    const began = worked();
    assertThrows(() => sampleChecker.decode(encoder.encode(header)), PeerError);
    assert(worked() - began < 5000);
    assertEquals(({} as { name?: string }).name, undefined);
  });
}

Deno.test("headerLimit() bounds each frame that there is, and knows no call or kind that there is not", () => {
  const limit = headerLimit(deliveryService("smtp"));
  fc.assert(fc.property(fc.integer(), fc.integer(), (call, kind) => {
    const bytes = attempt(() => limit(call, kind), PeerError);
    assertEquals(bytes === undefined, call !== 0);
  }));
  assertEquals([limit(0, Kind.ERROR), limit(0, -1)], [4096, 0]);
});
