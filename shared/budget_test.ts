import { assert, assertEquals } from "@std/assert";
import { Budget, Share } from "./budget.ts";
import { setSink } from "./log/log.ts";

const log: string[] = [];
setSink((severity, text) => log.push(`${severity}: ${text}`));

Deno.test("a Share takes nothing from the budget as long as it holds no more than is free", () => {
  const budget = new Budget("test", 0, 100), share = new Share(budget);
  assert(share.add(60) && share.add(40));
  assertEquals(budget.taken, 0);
  assertEquals(share.add(1), false);
  share.release();
  assert(share.add(100));
});

Deno.test("a Share takes what it holds beyond that, and gives all of it back", () => {
  const budget = new Budget("test", 1000, 100), share = new Share(budget);
  assert(share.add(90) && share.add(30) && share.add(500));
  assertEquals(budget.taken, 520);
  share.release();
  share.release();
  assertEquals(budget.taken, 0);
});

Deno.test("a used up Budget refuses who wants more, takes others in, and says so once", () => {
  log.length = 0;
  const budget = new Budget("what they hold", 1000, 100);
  const [greedy, modest, late] = [new Share(budget), new Share(budget), new Share(budget)];
  assert(greedy.add(1100));
  assertEquals([greedy.add(1), greedy.add(1), late.add(101)], [false, false, false]);
  assert(modest.add(100));
  assertEquals(log, [
    "warning: what they hold: all 1000 bytes for all sessions together are in use",
  ]);
  greedy.release();
  assert(late.add(101));
  assertEquals(budget.taken, 1);
});
