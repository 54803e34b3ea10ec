/** Mail that comes faster than it leaves. */

import { assert, assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { countsOf } from "../../tests/support/queue_counts.ts";
import { InFlow } from "./in_flow.ts";
import { gated } from "./test_world.ts";

/** Messages that may wait in incoming before anybody is slowed down. */
const AHEAD = 100;

/** A flow with so many messages waiting already; `answered` tells of those that come then. */
function crowded(delayMs: number) {
  const flow = new InFlow(delayMs);
  for (let i = 0; i < AHEAD; i++) flow.left();
  const answered: string[] = [];
  const left = (name: string) => flow.left().then(() => answered.push(name));
  return { flow, answered, left };
}

Deno.test("left() takes in_flow_delay once a hundred wait, and nothing after one has moved", async () => {
  using time = new FakeTime();
  const { flow, answered, left } = crowded(1000);
  left("a");
  await time.tickAsync(999);
  assertEquals(answered, []);
  flow.moved();
  left("b");
  await time.tickAsync(0);
  assertEquals(answered, ["b"]);
  await time.tickAsync(1);
  assertEquals(answered, ["b", "a"]);
});

Deno.test("left() takes no time where in_flow_delay is 0, nor when qmgr ends", async () => {
  using time = new FakeTime();
  const { flow, answered, left } = crowded(0);
  left("a");
  await time.tickAsync(0);
  flow.delayMs = 1000;
  left("b");
  await time.tickAsync(0);
  assertEquals(answered, ["a"]);
  flow.end();
  await time.tickAsync(0);
  left("c");
  await time.tickAsync(0);
  assertEquals(answered, ["a", "b", "c"]);
});

Deno.test("left() takes no time when what waited has gone otherwise, and never more than three seconds", async () => {
  using time = new FakeTime();
  const { flow, answered, left } = crowded(10_000);
  left("a");
  await time.tickAsync(2999);
  assertEquals(answered, []);
  await time.tickAsync(1);
  assertEquals(answered, ["a"]);
  flow.empty();
  left("b");
  await time.tickAsync(0);
  assertEquals(answered, ["a", "b"]);
});

Deno.test("moved() earns nothing in advance", async () => {
  using time = new FakeTime();
  const flow = new InFlow(1000);
  for (let i = 0; i < AHEAD; i++) flow.moved();
  let answered = 0;
  for (let i = 0; i < AHEAD + 1; i++) flow.left().then(() => answered++);
  await time.tickAsync(0);
  assertEquals(answered, AHEAD);
  await time.tickAsync(1000);
  assertEquals(answered, AHEAD + 1);
});

const PARAMS = { qmgrMessageActiveLimit: 3, inFlowDelay: 3 };

gated(
  "mail that finds the active queue full is answered late, and durable before",
  async (world, gate) => {
    const enqueue = () => world.enqueue(["a@x"]);
    await Promise.all(Array.from({ length: 3 + AHEAD }, enqueue));
    const began = performance.now(), late = enqueue();
    await world.until(async () => (await countsOf(world.store)).incoming === AHEAD + 1);
    await late;
    assert(performance.now() - began >= 2990);
    await world.until(() => (gate.open(), world.requests.length === 3 + AHEAD + 1));
    gate.open();
    await world.untilEmpty();
  },
  PARAMS,
);
