import { assertEquals } from "@std/assert";
import { Space } from "./space.ts";

Deno.test("admits() refuses mail for a second after one did not fit, then lets one try at a time", () => {
  const space = new Space();
  assertEquals(space.admits(1000), true);
  space.full(1000);
  assertEquals([1000, 1999, 2000, 2001, 2999, 3000].map((now) => space.admits(now)), [
    false,
    false,
    true,
    false,
    false,
    true,
  ]);
});

Deno.test("admits() takes all mail again once a message was queued", () => {
  const space = new Space();
  space.full(1000);
  assertEquals(space.admits(2000), true);
  space.taken();
  assertEquals([2000, 2001].map((now) => space.admits(now)), [true, true]);
});
