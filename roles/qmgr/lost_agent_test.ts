/** Agents that die in the middle: nobody knows what became of their recipients, and nobody else is to blame. */

import { assertEquals } from "@std/assert";
import { CallError } from "../../shared/ipc/failure.ts";
import type { DeliveryRequest } from "../../shared/protocols/delivery.ts";
import { all, deferred, Gate, sent, World } from "./test_world.ts";
import { pause } from "../../tests/support/waiting.ts";

/** The next deliveries end with the death of their agent. */
function mortal(deaths: number) {
  return (request: DeliveryRequest) => {
    if (deaths-- > 0) throw new CallError("unavailable", "smtp: connection closed");
    return all(request, sent);
  };
}

/** The test ends a rest itself: the machine may be slow. */
const NEVER_MS = 600_000;

function endRest({ qmgr: { activeQueue } }: World, queueId: string, ...recipients: number[]): void {
  activeQueue.release(activeQueue.messages.get(queueId)!, recipients);
}

Deno.test("recipients of an agent that died are tried again soon, and the site is not blamed", async () => {
  await using world = await World.open({ agent: mortal(3) });
  world.qmgr.activeQueue.retryMs = 10;
  const queueId = await world.enqueue(["a@x", "b@x"]);
  await world.untilEmpty();
  assertEquals(world.requests.map(({ recipients }) => recipients.map(({ n }) => n)), [
    [0, 1],
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
  // Nothing in the log says deferred, and the destination was never left alone.
  assertEquals(world.lines(queueId).map((line) => line.split(" ")[0]), [
    "from=<sender@example.com>,",
    "removed",
  ]);
});

Deno.test("a message that kills its agents again and again waits its ordinary time", async () => {
  await using world = await World.open({ agent: mortal(Infinity) });
  world.qmgr.activeQueue.retryMs = 10;
  const queueId = await world.enqueue(["a@x"]);
  await world.untilIn(queueId, "deferred");
  assertEquals(world.requests.length, 4);
  const text = "relay=none, delay=D, dsn=4.3.0, status=deferred (unknown mail transport error)";
  assertEquals(world.lines(queueId).at(-1), `to=<a@x>, ${text}`);
});

Deno.test("an agent that only lost its connection keeps its recipients, and its report counts", async () => {
  await using world = await World.open({ agent: mortal(1) });
  world.qmgr.activeQueue.retryMs = NEVER_MS;
  const queueId = await world.enqueue(["a@x", "b@x"]);
  await world.until(() => world.qmgr.activeQueue.messages.get(queueId)?.withheld === 2);
  const working = world.outcomes.call("working", world.handed(queueId, 0, 1));
  await world.until(() => world.qmgr.answers.some(({ busy }) => busy > 0));
  endRest(world, queueId, 0, 1);
  // It is not tried again, for it is claimed.
  await pause(50);
  assertEquals(world.requests.length, 1);
  await world.outcomes.call("report", {
    handed: world.handed(queueId, 0, 1),
    outcomes: [sent(0), sent(1)],
  });
  await working;
  await world.untilEmpty();
  assertEquals(world.requests.length, 1);
});

Deno.test("a report that comes while recipients rest is taken", async () => {
  await using world = await World.open({ agent: mortal(1) });
  world.qmgr.activeQueue.retryMs = NEVER_MS;
  const queueId = await world.enqueue(["a@x", "b@x"]);
  await world.until(() => world.qmgr.activeQueue.messages.get(queueId)?.withheld === 2);
  await world.outcomes.call("report", { handed: world.handed(queueId, 0), outcomes: [sent(0)] });
  endRest(world, queueId, 0, 1);
  await world.untilEmpty();
  assertEquals(world.requests.map(({ recipients }) => recipients.map(({ n }) => n)), [[0, 1], [1]]);
});

Deno.test("whatever one death takes of a message rests", async () => {
  await using world = await World.open({ agent: mortal(8) });
  world.qmgr.activeQueue.retryMs = NEVER_MS;
  const numbers = Array.from({ length: 8 }, (_, n) => n);
  const queueId = await world.enqueue(numbers.map((n) => `a@site${n}`));
  await world.until(() => world.qmgr.activeQueue.messages.get(queueId)?.withheld === 8);
  endRest(world, queueId, ...numbers);
  await world.untilEmpty();
  assertEquals(world.requests.length, 16);
});

Deno.test("what an agent reports of a recipient that was deferred meanwhile counts", async () => {
  const gate = new Gate();
  const agent = (request: DeliveryRequest) =>
    request.nexthop === "slow" ? gate.agent(request) : mortal(Infinity)(request);
  await using world = await World.open({ agent });
  world.qmgr.activeQueue.retryMs = 10;
  const queueId = await world.enqueue(["a@x", "b@slow"]);
  await world.until(() => world.lines(queueId).some((line) => line.includes("status=deferred")));
  await world.outcomes.call("report", { handed: world.handed(queueId, 0), outcomes: [sent(0)] });
  assertEquals((await world.store.tally(queueId)).sent, 1);
  gate.open(deferred);
  await world.untilIn(queueId, "deferred");
  using _ = gate.keepOpen();
  await world.flush.call("flush", { id: "", site: "" });
  await world.untilEmpty();
  assertEquals(world.requests.map(({ nexthop }) => nexthop).sort(), [
    "slow",
    "slow",
    ...Array(4).fill("x"),
  ]);
});

Deno.test("of deliveries that end with qmgr nothing is said: the next one takes them up", async () => {
  const cut = Promise.withResolvers<never>();
  await using world = await World.open({
    agent: () => cut.promise,
    // As at the last attempt.
    params: { maximalQueueLifetime: 0, bounceQueueLifetime: 0 },
  });
  const queueId = await world.enqueue(["a@x", "b@x"]);
  await world.until(() => world.requests.length === 1);
  world.qmgr.stop(0);
  await world.qmgr.drain();
  cut.reject(new CallError("unavailable", "smtp: connection closed"));
  await pause(50);
  assertEquals(world.lines(queueId).map((line) => line.split(" ")[0]), [
    "from=<sender@example.com>,",
  ]);
  assertEquals(world.log.filter((line) => line.startsWith("warning: ")), []);
  assertEquals((await world.store.find(queueId))!.queue, "active");
  assertEquals((await world.store.tally(queueId)).todo, 2);
  // An agent that has not yet seen that this qmgr leaves is heard.
  await world.outcomes.call("report", { handed: world.handed(queueId, 0), outcomes: [sent(0)] });
  await using next = await World.open({ directory: world.crash() });
  await next.untilEmpty();
  assertEquals(next.requests.map(({ recipients }) => recipients.map(({ n }) => n)), [[1]]);
});

Deno.test("a message that is deleted while its recipients rest is not tried again", async () => {
  await using world = await World.open({ agent: mortal(1) });
  world.qmgr.activeQueue.retryMs = NEVER_MS;
  const queueId = await world.enqueue(["a@x"]);
  const { activeQueue } = world.qmgr;
  await world.until(() => activeQueue.messages.get(queueId)?.withheld === 1);
  activeQueue.judge(activeQueue.messages.get(queueId)!, "delete");
  endRest(world, queueId, 0);
  await world.untilEmpty();
  assertEquals(world.requests.length, 1);
});
