/** What operators do to a running qmgr's mail. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { pause } from "../../tests/support/waiting.ts";
import { countsOf } from "../../tests/support/queue_counts.ts";
import { DamagedRecord } from "../../shared/queue/store.ts";
import { all, deferred, Gate, gated, sent, test, World } from "./test_world.ts";

/** One delivery runs, one waits behind two others, one message is deferred. */
async function busy(world: World, gate: Gate) {
  const later = await world.enqueue(["z@y"]);
  await world.until(() => gate.waiting.length === 1);
  gate.open(deferred);
  await world.untilIn(later, "deferred");
  const running = await world.enqueue(["a@x"]);
  await world.enqueue(["b@x"]);
  await world.until(() => gate.waiting.length === 2);
  await world.enqueue(["c@x"]);
  const waiting = await world.enqueue(["d@x"]);
  return { running, waiting, later };
}

gated(
  "hold keeps waiting and deferred mail, and mail in delivery when that ends in a deferral",
  async (world, gate) => {
    const { running, waiting, later } = await busy(world, gate);
    const which = [running, waiting, later];
    assertEquals((await world.queue.call("hold", { which })).reply, { count: 3 });
    await world.untilIn(waiting, "hold");
    await world.untilIn(later, "hold");
    gate.open(deferred);
    await world.untilIn(running, "hold");
    await world.until(() => (gate.open(), world.qmgr.activeQueue.messages.size === 0));
    assert(!world.requests.some(({ envelope }) => envelope.queueId === waiting));
  },
);

gated(
  "mail that is held while it is delivered is removed when it was sent",
  async (world, gate) => {
    const { running } = await busy(world, gate);
    await world.queue.call("hold", { which: [running] });
    gate.open(sent);
    await world.until(() => world.lines(running).includes("removed"));
    await world.until(() => (gate.open(), world.qmgr.activeQueue.messages.size === 0));
  },
);

gated("release lets held mail go on at once", async (world, gate) => {
  const { waiting } = await busy(world, gate);
  await world.queue.call("hold", { which: [waiting] });
  await world.untilIn(waiting, "hold");
  assertEquals((await world.queue.call("release", { which: "ALL" })).reply, { count: 1 });
  await world.until(() => (gate.open(), world.lines(waiting).includes("removed")));
  await world.until(() => (gate.open(), world.qmgr.activeQueue.messages.size === 0));
});

gated("delete removes everything, what is in delivery when that ends", async (world, gate) => {
  await busy(world, gate);
  assertEquals((await world.queue.call("delete", { which: "ALL" })).reply, { count: 5 });
  await world.until(async () => (await countsOf(world.store)).active === 2);
  gate.open(deferred);
  await world.untilEmpty();
  assertEquals(world.requests.length, 3);
});

for (const second of ["hold", "requeue"] as const) {
  gated(`what is to be deleted is not touched by ${second}`, async (world, gate) => {
    const queueId = await world.enqueue(["a@x"]);
    await world.until(() => gate.waiting.length === 1);
    assertEquals((await world.queue.call("delete", { which: [queueId] })).reply, { count: 1 });
    assertEquals((await world.queue.call(second, { which: "ALL" })).reply, { count: 0 });
    gate.open(deferred);
    await world.untilEmpty();
    assertEquals(world.requests.length, 1);
  });
}

gated("release lets mail in delivery go on that was to be held", async (world, gate) => {
  const queueId = await world.enqueue(["a@x"]), other = await world.enqueue(["b@x"]);
  await world.until(() => gate.waiting.length === 2);
  await world.queue.call("hold", { which: [queueId] });
  assertEquals((await world.queue.call("release", { which: [queueId, other] })).reply, {
    count: 1,
  });
  gate.open(deferred);
  await world.untilIn(other, "deferred");
  await world.until(() => gate.waiting.length === 1);
  assertEquals(gate.waiting[0]!.request.envelope.queueId, queueId);
  gate.open(sent);
  await world.until(() => world.lines(queueId).includes("removed"));
});

gated("requeue routes mail anew", async (world, gate) => {
  const { waiting, later } = await busy(world, gate);
  assertEquals((await world.queue.call("requeue", { which: [waiting, later] })).reply, {
    count: 2,
  });
  await world.until(() => (gate.open(), world.qmgr.activeQueue.messages.size === 0));
  await world.untilEmpty();
  const active = world.lines(waiting).filter((line) => line.endsWith("(queue active)"));
  assertEquals(active.length, 2);
});

test("flush by site tries only mail for that site", {
  agent: (request) => all(request, deferred),
}, async (world) => {
  const a = await world.enqueue(["a@a.example"]), b = await world.enqueue(["b@b.example"]);
  await world.untilIn(a, "deferred");
  await world.untilIn(b, "deferred");
  assertEquals((await world.flush.call("flush", { id: "", site: "A.example" })).reply, {
    count: 1,
  });
  await world.until(() => world.requests.length === 3);
  await world.untilIn(a, "deferred");
  assertEquals(world.requests[2]!.nexthop, "a.example");
});

test("flushing in a loop is one run a second, and each of it is answered", {
  agent: (request) => all(request, deferred),
}, async (world) => {
  const { flusher } = world.qmgr;
  assertEquals(flusher.restMs, 1000);
  // Longer here, for a machine that does something else for a second.
  flusher.restMs = 3000;
  const queueId = await world.enqueue(["a@a.example"]);
  await world.untilIn(queueId, "deferred");
  let runs = 0;
  const retry = world.store.retry.bind(world.store);
  world.store.retry = (which, site) => (runs++, retry(which, site));
  const started = performance.now();
  assertEquals((await world.flush.call("flush", { id: "", site: "" })).reply, { count: 1 });
  await world.untilIn(queueId, "deferred");
  const asked = Array.from({ length: 8 }, () => world.flush.call("flush", { id: "", site: "" }));
  const counts = (await Promise.all(asked)).map(({ reply }) => reply.count);
  assert(performance.now() - started >= flusher.restMs);
  assertEquals([runs, new Set(counts)], [2, new Set([1])]);
});

test("a flush that rests is refused when qmgr stops, which waits for none", {}, async (world) => {
  world.qmgr.flusher.restMs = 60_000;
  await world.flush.call("flush", { id: "", site: "" });
  const resting = assertRejects(
    () => world.flush.call("flush", { id: "", site: "" }),
    Error,
    "qmgr stops",
  );
  await pause(50);
  const started = performance.now();
  await world.qmgr.drain();
  await resting;
  assert(performance.now() - started < 10_000);
});

test("ids and sites that are flushed together are one run each", {
  agent: (request) => all(request, deferred),
}, async (world) => {
  const ids: string[] = [];
  for (const site of ["a", "b", "c"]) ids.push(await world.enqueue([`x@${site}.example`]));
  for (const id of ids) await world.untilIn(id, "deferred");
  world.qmgr.flusher.restMs = 3000;
  const asked: unknown[] = [];
  const retry = world.store.retry.bind(world.store);
  world.store.retry = (which, site) => (asked.push([which, site]), retry(which, site));
  await world.flush.call("flush", { id: "4dXyZ12345z1", site: "" });
  const counts = await Promise.all([
    world.flush.call("flush", { id: ids[0]!, site: "" }),
    world.flush.call("flush", { id: ids[1]!, site: "" }),
    world.flush.call("flush", { id: ids[1]!, site: "" }),
    world.flush.call("flush", { id: "", site: "C.example" }),
    world.flush.call("flush", { id: "", site: "c.example" }),
  ]);
  assertEquals(counts.map(({ reply }) => reply.count), [3, 3, 3, 3, 3]);
  assertEquals(asked.slice(1), [[[ids[0], ids[1]], undefined], ["ALL", "c.example"]]);
  await world.until(() => world.requests.length === 6);
  for (const id of ids) await world.untilIn(id, "deferred");
});

test("commands about mail that is not there concern nothing", {}, async (world) => {
  for (const command of ["hold", "release", "delete", "requeue"] as const) {
    assertEquals((await world.queue.call(command, { which: ["4dXyZ12345z1"] })).reply, {
      count: 0,
    });
  }
  assertEquals((await world.flush.call("flush", { id: "4dXyZ12345z1", site: "" })).reply, {
    count: 0,
  });
});

test("mail on hold never expires", { agent: (r) => all(r, deferred) }, async (world) => {
  const queueId = await world.enqueue(["a@x"]);
  await world.untilIn(queueId, "deferred");
  await world.queue.call("hold", { which: "ALL" });
  world.ahead = 50 * 86_400_000;
  await world.flush.call("flush", { id: "", site: "" });
  await world.enqueue(["b@x"]);
  await world.until(() => world.requests.length === 2);
  assertEquals([(await world.store.find(queueId))!.queue, world.reports.length], ["hold", 0]);
});

Deno.test("new mail does not pass mail that waits, nor does it wait for retries alone", async () => {
  const gate = new Gate();
  await using world = await World.open({
    agent: gate.agent,
    params: { qmgrMessageActiveLimit: 4, queueRunDelay: 0.05 },
  });
  const old: string[] = [];
  for (let i = 0; i < 8; i++) old.push(await world.enqueue([`old${i}@o${i}`]));
  await world.until(async () => {
    gate.open(deferred);
    return (await countsOf(world.store)).deferred === 8;
  });
  for (let i = 0; i < 4; i++) await world.enqueue([`first${i}@f${i}`]);
  await world.until(() => gate.waiting.length === 4);
  for (let i = 0; i < 8; i++) await world.enqueue([`new${i}@n${i}`]);
  world.ahead = 400_000;
  const before = world.requests.length;
  await world.until(() => (gate.open(), world.requests.length === before + 16));
  await world.until(() => (gate.open(), world.qmgr.activeQueue.messages.size === 0));
  const order = world.requests.slice(before).map(({ recipients }) => recipients[0]!.address);
  const fresh = order.filter((address) => address.startsWith("new"));
  assertEquals(fresh, [...fresh].sort());
  // Neither kind has to wait until the other is through.
  assert(order.slice(0, 12).some((address) => address.startsWith("old")), order.join());
  assert(order.slice(0, 12).some((address) => address.startsWith("new")), order.join());
});

for (
  const [command, outcome, count, queue] of [
    ["delete", deferred, 1, undefined],
    ["hold", deferred, 1, "hold"],
    ["requeue", deferred, 1, undefined],
    // There is nothing left to do it to.
    ["delete", sent, 0, undefined],
    ["hold", sent, 0, undefined],
  ] as const
) {
  const what = `${command} of a message whose end as ${outcome(0).status} is just being written`;
  Deno.test(`${what} waits for that, and says what it did`, async () => {
    const written = Promise.withResolvers<void>();
    let writing = false;
    await using world = await World.open({
      agent: (request) => all(request, world.requests.length === 1 ? outcome : sent),
      around: (store) => {
        const commit = store.commit.bind(store);
        store.commit = async (batch) => {
          const ends = batch.removed.length ||
            batch.moved.some(({ queue }) => queue === "deferred");
          if (!writing && ends) {
            writing = true;
            await written.promise;
          }
          return await commit(batch);
        };
        return store;
      },
    });
    const queueId = await world.enqueue(["a@x"]);
    await world.until(() => writing);
    const answer = world.queue.call(command, { which: [queueId] });
    await pause(50);
    written.resolve();
    assertEquals((await answer).reply, { count });
    if (queue) await world.untilIn(queueId, queue);
    else await world.untilEmpty();
  });
}

for (
  const [command, what, queue] of [["delete", "removed", undefined], [
    "hold",
    "held",
    "hold",
  ]] as const
) {
  let read: (() => void) | undefined;
  test(`mail that turns out to be damaged when it was to be ${what} is ${what}`, {
    agent: (request) => all(request, deferred),
    around: (store) => {
      store.content = async (queueId) => {
        await new Promise<void>((resolve) => read = resolve);
        throw new DamagedRecord(`${queueId}: content is gone`);
      };
      return store;
    },
  }, async (world) => {
    const queueId = await world.enqueue(["a@x"]);
    await world.untilIn(queueId, "deferred");
    await world.flush.call("flush", { id: queueId, site: "" });
    await world.until(() => read !== undefined);
    await world.queue.call(command, { which: [queueId] });
    read!();
    await world.until(() => world.qmgr.activeQueue.messages.size === 0);
    assertEquals((await world.store.find(queueId))?.queue, queue);
  });
}
