import { assert, assertEquals } from "@std/assert";
import { microseconds, Speech } from "./said.ts";

Deno.test("microseconds() is the time of day, finer than a millisecond", () => {
  assert(Math.abs(microseconds() / 1000 - Date.now()) < 1000);
  const fractions = new Set(Array.from({ length: 200 }, () => microseconds() % 1000));
  assert(fractions.size > 1);
});

Deno.test("take() gives lines and their times, and begins anew", () => {
  const speech = new Speech();
  speech.add("one");
  speech.add("two");
  const { lines, since, after } = speech.take();
  assertEquals([lines, after[0], after.length, speech.length], [["one", "two"], 0, 2, 0]);
  assert(after[1]! >= 0 && Math.abs(since / 1000 - Date.now()) < 10_000);
  speech.add("three");
  assertEquals(speech.take().lines, ["three"]);
});
