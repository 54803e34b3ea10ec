/** How mail comes into a qmgr: all of it or nothing, and once. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { CallError } from "../../shared/ipc/failure.ts";
import { SOURCE_AGE_MS } from "../../shared/queue/store.ts";
import { all, deferred, gated, Slow, test } from "./test_world.ts";
import { countsOf } from "../../tests/support/queue_counts.ts";

test("content that breaks off is not queued", {}, async (world) => {
  async function* broken() {
    yield await Promise.resolve(new Uint8Array(400_000));
    throw new Error("client went away");
  }
  await assertRejects(() => world.enqueue(["a@x"], { content: broken() }));
  await world.until(() => world.contents().length === 0);
  assertEquals((await countsOf(world.store)).active, 0);
});

test("large contents beyond a number are refused, while small ones are taken", {
  params: { qmgrContentFileLimit: 2 },
}, async (world) => {
  const slow = new Slow();
  const coming = world.enqueue(["a@x"], { content: slow.content() });
  await slow.begun;
  await world.until(() => world.contents().length === 1);
  await assertRejects(
    () => world.enqueue(["b@x"], { content: new Uint8Array(400_000) }),
    CallError,
    "large contents: too many at a time",
  );
  await world.enqueue(["c@x"]);
  slow.end();
  await coming;
  await world.enqueue(["d@x"], { content: new Uint8Array(400_000) });
});

test("a time of arrival that cannot be is set right, and none beyond what a Date holds taken", {
  agent: (r) => all(r, deferred),
}, async (world) => {
  const arrivalOf = async (arrived: number) => {
    const queueId = await world.enqueue(["a@x"], { arrived });
    return (await world.store.find(queueId))?.envelope.arrived;
  };
  const now = Date.now();
  assertEquals(await arrivalOf(now - 3_600_000), now - 3_600_000);
  assert((await arrivalOf(8.64e15))! < now + 3_600_000);
  assert((await arrivalOf(now + 86_400_000))! < now + 3_600_000);
  await assertRejects(() => arrivalOf(8.7e15), CallError);
  const queueId = await world.enqueue(["a@x"], { sender: "", arrived: 0 });
  await world.until(() => world.lines(queueId).includes("removed"));
  await world.until(() => world.reports.length === 1);
  assert(world.reports[0]!.envelope.arrived > now - 6 * 86_400_000);
});

test("a queue id that is taken is refused", { agent: (r) => all(r, deferred) }, async (world) => {
  const queueId = await world.enqueue(["a@x"]);
  await assertRejects(() => world.enqueue(["b@x"], { queueId }), CallError, "taken");
  await world.enqueue(["c@x"]);
});

for (const size of [100, 500_000]) {
  test(`a submission of ${size} bytes that comes twice is delivered once`, {}, async (world) => {
    const content = () =>
      (async function* () {
        yield await Promise.resolve(new Uint8Array(size / 2));
        yield new Uint8Array(size / 2);
      })();
    const source = { id: "a".repeat(64), settled: [] };
    const both = [1, 2].map(() => world.enqueue(["a@x"], { content: content(), source }));
    const [first, again] = await Promise.all(both);
    assertEquals(again, first);
    await world.untilEmpty();
    assertEquals(await world.enqueue(["a@x"], { content: content(), source }), first);
    assertEquals(world.requests.length, 1);
    assertEquals(world.contents(), []);
    const settled = { id: "b".repeat(64), settled: ["a".repeat(64)] };
    await world.enqueue(["b@x"], { source: settled });
    assertEquals(await world.enqueue(["a@x"], { source }) === first, false);
    await world.untilEmpty();
  });
}

test(
  "a submission that nobody settled is forgotten after a month, without a start",
  {},
  async (world) => {
    const source = { id: "a".repeat(64), settled: [] };
    await world.enqueue(["a@x"], { source });
    world.ahead += SOURCE_AGE_MS - 3_600_000;
    world.qmgr.scan();
    await world.untilEmpty();
    assertEquals(await world.store.queuedAs(source.id) !== undefined, true);
    world.ahead += 2 * 3_600_000;
    world.qmgr.scan();
    await world.until(async () => await world.store.queuedAs(source.id) === undefined);
  },
);

gated("mail beyond the active limit waits in incoming, and follows", async (world, gate) => {
  for (let i = 0; i < 10; i++) await world.enqueue([`r${i}@x`]);
  assertEquals(await countsOf(world.store), {
    incoming: 7,
    active: 3,
    deferred: 0,
    hold: 0,
    corrupt: 0,
  });
  await world.until(() => (gate.open(), world.requests.length === 10));
  gate.open();
  await world.untilEmpty();
}, { qmgrMessageActiveLimit: 3 });
