/** Whatever a role that was taken over says: it is what roles say, or nothing. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type FromRole, IN_TURN, readFromRole } from "./control_messages.ts";

/** As it comes from the channel: `__proto__` is a field like others there. */
function said(json: string): unknown {
  return JSON.parse(json);
}

function counters(number: number): string {
  const all = Array.from({ length: number }, (_, n) => `"c${n}":${n}`);
  return `{"type":"pong","quiet":[],"counters":{${all}}}`;
}

const HOSTILE: readonly (readonly [what: string, json: string])[] = [
  ["no object", `"up"`],
  ["null", "null"],
  ["a list", `["up"]`],
  ["no type", "{}"],
  ["a type that nobody has", `{"type":"constructor"}`],
  ["what the supervisor says", `{"type":"ping"}`],
  ["a field too many", `{"type":"up","x":1}`],
  ["__proto__ as a field", `{"type":"up","__proto__":{"type":"ready"}}`],
  ["counters that are no object", `{"type":"pong","quiet":[],"counters":[]}`],
  ["a counter named __proto__", `{"type":"pong","quiet":[],"counters":{"__proto__":1}}`],
  [
    "a counter that no name of ours is like",
    `{"type":"pong","quiet":[],"counters":{"to String":1}}`,
  ],
  ["a counter of 65 letters", `{"type":"pong","quiet":[],"counters":{"${"a".repeat(65)}":1}}`],
  ["a negative counter", `{"type":"pong","quiet":[],"counters":{"a":-1}}`],
  ["a broken counter", `{"type":"pong","quiet":[],"counters":{"a":0.5}}`],
  [
    "a counter beyond what can be added",
    `{"type":"pong","quiet":[],"counters":{"a":9007199254740992}}`,
  ],
  ["a counter that is text", `{"type":"pong","quiet":[],"counters":{"a":"1"}}`],
  ["101 counters", counters(101)],
  ["1001 quiet services", `{"type":"pong","counters":{},"quiet":[${Array(1001).fill('"a"')}]}`],
  ["a service of 65 letters", `{"type":"want","service":"${"s".repeat(65)}"}`],
  ["a service with a line break", `{"type":"want","service":"a\\nb"}`],
  ["last words of 2001 letters", `{"type":"fatal","text":"${"x".repeat(2001)}","config":false}`],
];

for (const [what, json] of HOSTILE) {
  Deno.test(`readFromRole() refuses ${what}`, () => {
    assertEquals(readFromRole(said(json)), undefined);
  });
}

Deno.test("readFromRole() takes what roles say", () => {
  const all = [
    `{"type":"up"}`,
    `{"type":"took"}`,
    `{"type":"ready"}`,
    `{"type":"idle"}`,
    `{"type":"want","service":"dns"}`,
    `{"type":"pong","quiet":[],"counters":{"smtpd_sessions":9007199254740991,"constructor":1}}`,
    counters(100),
    `{"type":"fatal","text":"no such table","config":true}`,
  ];
  for (const json of all) assertEquals(JSON.stringify(readFromRole(said(json))), json);
});

Deno.test("readFromRole() gives whatever comes back as it was, and short, or refuses it", () => {
  const names = fc.constantFrom(
    "type",
    "counters",
    "service",
    "text",
    "config",
    "__proto__",
    "cmd",
  );
  const kinds = fc.constantFrom(
    "up",
    "ready",
    "pong",
    "want",
    "idle",
    "fatal",
    "start",
    "toString",
  );
  const value = fc.oneof(kinds, fc.jsonValue(), fc.dictionary(fc.string(), fc.double()));
  const message = fc.oneof(
    fc.jsonValue(),
    fc.dictionary(names, value),
    fc.record({
      type: fc.constant("pong"),
      counters: fc.dictionary(fc.string(), value),
      quiet: fc.array(fc.string()),
    }),
    fc.record({ type: fc.constant("want"), service: fc.string() }),
  );
  fc.assert(fc.property(message, (each) => {
    const json = JSON.stringify(each);
    const read = readFromRole(said(json));
    if (!read) return;
    assertEquals(JSON.stringify(read), json);
    assertEquals(Object.keys(IN_TURN).length > 0 && json.length < 20_000, true);
    const numbers = read.type === "pong" ? Object.values(read.counters) : [];
    assertEquals(numbers.every((number) => Number.isSafeInteger(number) && number >= 0), true);
  }));
});

Deno.test("a role says up and ready once, and nothing but its end before it is up", () => {
  const all: FromRole["type"][] = ["up", "took", "ready", "pong", "want", "idle", "fatal"];
  const allowed = Object.values(IN_TURN).map((turn) => all.filter((type) => turn.has(type)));
  assertEquals(allowed, [
    ["up", "fatal"],
    ["took", "ready", "pong", "want", "fatal"],
    ["pong", "want", "idle", "fatal"],
  ]);
});
