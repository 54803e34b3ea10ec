import { assert, assertEquals } from "@std/assert";
import { microseconds, moment, severityOf, Speech } from "./said.ts";

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

Deno.test("moment() reads both clocks together, whatever comes between two readings", () => {
  // A clock that the rest of the test moves; reading the time of day takes so long.
  const read = (...pauses: number[]) => {
    let now = 0;
    const wall = () => (now += pauses.shift() ?? 0) * 1000;
    return moment(wall, () => now);
  };
  assertEquals(read(0.01), { wall: 10, steady: 0 });
  assertEquals(read(1.5, 0.01), { wall: 1510, steady: 1.5 });
  // Where it is never better, the best that there was.
  assertEquals(read(1.5, 0.5, 0.25, 2, 2, 0), { wall: 2250, steady: 2 });
});
