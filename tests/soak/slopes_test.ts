import { assertAlmostEquals, assertEquals } from "@std/assert";
import { slope } from "./slopes.ts";

function line(from: number, to: number, level: number, perMinute: number) {
  return Array.from(
    { length: to - from + 1 },
    (_, n) => ({ minutes: from + n, value: level + n * perMinute }),
  );
}

Deno.test("a figure that stays the same has no slope", () => {
  assertEquals(slope([line(0, 9, 50, 0)]), 0);
});

Deno.test("a figure that grows has the slope of its growth", () => {
  assertAlmostEquals(slope([line(0, 9, 50, 2.5)]), 2.5, 1e-9);
});

Deno.test("processes one after the other, each smaller than the last, do not hide that each grows", () => {
  assertAlmostEquals(slope([line(0, 4, 90, 1), line(5, 9, 60, 1), line(10, 14, 30, 1)]), 1, 1e-9);
});

Deno.test("without samples there is no slope", () => {
  assertEquals(slope([]), 0);
  assertEquals(slope([line(0, 0, 5, 0)]), 0);
});
