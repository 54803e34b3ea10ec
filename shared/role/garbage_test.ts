import { assertEquals } from "@std/assert";
import { Garbage } from "./garbage.ts";

const MB = 1024 * 1024;

Deno.test("look() collects what has come together, and counts from what is left", () => {
  let used = 10 * MB, collected = 0;
  const garbage = new Garbage(() => used, () => {
    collected++;
    used = 20 * MB;
  });
  const after = (bytes: number) => {
    used = bytes;
    garbage.look();
    return collected;
  };
  assertEquals([after(25 * MB), after(27 * MB), after(35 * MB), after(37 * MB)], [0, 1, 1, 2]);
});

Deno.test("look() does without a collector", () => {
  let used = 0;
  const garbage = new Garbage(() => used, undefined);
  used = 100 * MB;
  garbage.look();
});
