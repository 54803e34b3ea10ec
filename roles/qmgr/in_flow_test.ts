/** Mail that comes faster than it leaves. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { snapshot } from "../../shared/counters.ts";
import { countsOf } from "../../tests/support/queue_counts.ts";
import { InFlow } from "./in_flow.ts";
import { gated, type World } from "./test_world.ts";

/** Messages that may wait in incoming before anybody is slowed down. */
const AHEAD = 100;

/** A flow with so many messages waiting already; `taken` tells of those that come then. */
function crowded(delayMs: number) {
  const flow = new InFlow(delayMs);
  for (let i = 0; i < AHEAD; i++) flow.left();
  const taken: string[] = [];
  const wait = (name: string) => flow.wait().then(() => taken.push(name));
  return { flow, taken, wait };
}

Deno.test("wait() takes in_flow_delay once a hundred wait, and nothing after one has moved", async () => {
  using time = new FakeTime();
  const { flow, taken, wait } = crowded(1000);
  wait("a");
  await time.tickAsync(999);
  assertEquals(taken, []);
  flow.moved();
  wait("b");
  await time.tickAsync(0);
  assertEquals(taken, ["b"]);
  await time.tickAsync(1);
  assertEquals(taken, ["b", "a"]);
});

Deno.test("wait() takes no time where in_flow_delay is 0, nor when qmgr ends", async () => {
  using time = new FakeTime();
  const { flow, taken, wait } = crowded(0);
  wait("a");
  await time.tickAsync(0);
  flow.delayMs = 1000;
  wait("b");
  await time.tickAsync(0);
  assertEquals(taken, ["a"]);
  flow.end();
  await time.tickAsync(0);
  wait("c");
  await time.tickAsync(0);
  assertEquals(taken, ["a", "b", "c"]);
});

Deno.test("wait() takes no time when what waited has gone otherwise, and never more than three seconds", async () => {
  using time = new FakeTime();
  const { flow, taken, wait } = crowded(10_000);
  wait("a");
  await time.tickAsync(2999);
  assertEquals(taken, []);
  await time.tickAsync(1);
  assertEquals(taken, ["a"]);
  flow.empty();
  wait("b");
  await time.tickAsync(0);
  assertEquals(taken, ["a", "b"]);
});

Deno.test("moved() earns nothing in advance", async () => {
  using time = new FakeTime();
  const flow = new InFlow(1000);
  for (let i = 0; i < AHEAD; i++) flow.moved();
  for (let i = 0; i < AHEAD; i++) flow.left();
  let taken = 0;
  flow.wait().then(() => taken++);
  await time.tickAsync(999);
  assertEquals(taken, 0);
  await time.tickAsync(1);
  assertEquals(taken, 1);
});

const PARAMS = { qmgrMessageActiveLimit: 3, inFlowDelay: 3 };

/** Fills the active queue, and incoming as far as nobody waits; then a message comes that does. */
async function overfill(world: World): Promise<{ late: Promise<string>; began: number }> {
  const enqueue = () => world.enqueue(["a@x"]);
  await Promise.all(Array.from({ length: 3 + AHEAD }, enqueue));
  const slowed = snapshot()["qmgr_slowed"]!, began = performance.now(), late = enqueue();
  await world.until(() => snapshot()["qmgr_slowed"]! > slowed);
  return { late, began };
}

gated(
  "mail that finds the active queue full is taken late, and not durable before",
  async (world, gate) => {
    const { late, began } = await overfill(world);
    assertEquals((await countsOf(world.store)).incoming, AHEAD);
    await late;
    assert(performance.now() - began >= 2990);
    assertEquals((await countsOf(world.store)).incoming, AHEAD + 1);
    await world.until(() => (gate.open(), world.requests.length === 3 + AHEAD + 1));
    gate.open();
    await world.untilEmpty();
  },
  PARAMS,
);

gated(
  "mail whose client leaves while it waits is not taken",
  async (world, gate) => {
    const { late, began } = await overfill(world);
    world.intake.close();
    await assertRejects(() => late);
    await world.until(() => performance.now() - began > 3200);
    assertEquals((await countsOf(world.store)).incoming, AHEAD);
    await world.until(() => (gate.open(), world.requests.length === 3 + AHEAD));
    gate.open();
    await world.untilEmpty();
  },
  PARAMS,
);
