import { assertEquals, assertRejects } from "@std/assert";
import { SharedRun } from "./shared_run.ts";

Deno.test("join() serves all who wait by the next run, and by no run that has begun before", async () => {
  const ends: (() => void)[] = [];
  let begun = 0;
  const shared = new SharedRun(async () => {
    const which = ++begun;
    await new Promise<void>((end) => ends.push(end));
    return which;
  });
  const first = shared.join(), others = [shared.join(), shared.join(), shared.join()];
  assertEquals(begun, 1);
  ends[0]!();
  assertEquals(await first, 1);
  while (begun < 2) await Promise.resolve();
  const later = shared.join();
  ends[1]!();
  assertEquals(await Promise.all(others), [2, 2, 2]);
  while (begun < 3) await Promise.resolve();
  ends[2]!();
  assertEquals(await later, 3);
});

Deno.test("join() tells of a failed run those whom it was for, those who wait, and nobody later", async () => {
  let runs = 0;
  const shared = new SharedRun(() =>
    ++runs === 1 ? Promise.reject(new Error("no")) : Promise.resolve(runs)
  );
  for (const each of [shared.join(), shared.join(), shared.join()]) {
    await assertRejects(() => each, Error, "no");
  }
  assertEquals(await shared.join(), 2);
});
