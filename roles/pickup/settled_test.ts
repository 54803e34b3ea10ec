import { assertEquals } from "@std/assert";
import { SETTLE_MS, Settled } from "./settled.ts";

function bench() {
  const clock = { now: 0 };
  return { clock, settled: new Settled(() => clock.now) };
}

const ids = (waiting: readonly { id: string }[]) => waiting.map(({ id }) => id);

Deno.test("a settled submission is told when no other pickup can still have its file open", () => {
  const { clock, settled } = bench();
  settled.add("a");
  clock.now = SETTLE_MS - 1;
  settled.add("b");
  assertEquals(ids(settled.take()), []);
  clock.now++;
  assertEquals(ids(settled.take()), ["a"]);
  assertEquals(ids(settled.take()), []);
});

Deno.test("what was not told comes again, before the others", () => {
  const { clock, settled } = bench();
  settled.add("a");
  settled.add("b");
  clock.now = SETTLE_MS;
  const taken = settled.take();
  settled.add("c");
  settled.giveBack(taken);
  clock.now += SETTLE_MS;
  assertEquals(ids(settled.take()), ["a", "b", "c"]);
});

Deno.test("a hundred go with one submission, and no more than ten thousand wait", () => {
  const { clock, settled } = bench();
  for (let n = 0; n < 10_050; n++) settled.add(String(n));
  clock.now = SETTLE_MS;
  const first = settled.take();
  assertEquals([first.length, first[0]!.id], [100, "50"]);
  let told = first.length;
  for (let taken = settled.take(); taken.length; taken = settled.take()) told += taken.length;
  assertEquals(told, 10_000);
});
