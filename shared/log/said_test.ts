import { assert, assertEquals } from "@std/assert";
import { microseconds, severityOf, Speech } from "./said.ts";

Deno.test("microseconds() is the time of day, finer than a millisecond", () => {
  const before = Date.now(), said = microseconds() / 1000;
  assert(said > before - 1000 && said < Date.now() + 1000);
  const fractions = new Set(Array.from({ length: 200 }, () => microseconds() % 1000));
  assert(fractions.size > 1);
});

Deno.test("take() gives lines and their times, and begins anew", () => {
  const speech = new Speech();
  speech.add("info", "one");
  speech.add("warning", "two", '{"queue_id":"Q"}');
  const spoken = speech.take(), { lines, fields, since, after } = spoken;
  assertEquals([lines, after[0], after.length, speech.length], [["one", "two"], 0, 2, 0]);
  assertEquals(fields, ["", '{"queue_id":"Q"}']);
  assertEquals([severityOf(spoken, 0), severityOf(spoken, 1)], ["info", "warning"]);
  assert(after[1]! >= 0 && Math.abs(since / 1000 - Date.now()) < 10_000);
  speech.add("panic", "three");
  const { lines: next, severities, fields: none } = speech.take();
  assertEquals([next, severities, none], [["three"], "p", []]);
});
