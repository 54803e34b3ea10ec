/** Somebody sets the machine's clock while mail waits: back and ahead, by a day and by ten years. */

import { assert, assertEquals } from "@std/assert";
import type { DeliveryRequest } from "../../shared/protocols/delivery.ts";
import { all, deferred, sent, World } from "./test_world.ts";
import { pause } from "../../tests/support/waiting.ts";

const DAY = 24 * 3600_000;
const LEAPS: [string, number][] = [
  ["back by a day", -DAY],
  ["ahead by a day", DAY],
  ["back by ten years", -3650 * DAY],
  ["ahead by ten years", 3650 * DAY],
];
/** More than maximal_backoff_time. */
const RETRY = 2 * 3600_000;

/** A deferred message, and a server that takes it as soon as `ready` says so. */
async function waiting(): Promise<{ world: World; queueId: string; ready: () => void }> {
  let down = true;
  const world = await World.open({ agent: (request) => all(request, down ? deferred : sent) });
  const queueId = await world.enqueue(["a@x"]);
  await world.untilIn(queueId, "deferred");
  return { world, queueId, ready: () => down = false };
}

/** Queue ids of all that waits. */
async function listed(world: World): Promise<string[]> {
  const ids = [];
  for await (const { queue_id } of world.store.list()) ids.push(queue_id);
  return ids;
}

/** What the timer of queue_run_delay does. */
function run(world: World): void {
  world.qmgr.scan();
}

Deno.test("mail that waits in incoming does not wait for a clock that was set back", async () => {
  await using world = await World.open();
  // As while it ends.
  await world.qmgr.activeQueue.stop(0);
  await world.enqueue(["a@x"]);
  await using next = await World.open({ directory: world.crash(), leap: -3600_000 });
  await next.untilEmpty();
  assertEquals(next.requests.length, 1);
});

for (const [how, leap] of LEAPS) {
  Deno.test(`a clock set ${how} bounces nothing, and what waits is delivered when its time has come`, async () => {
    const { world, ready } = await waiting();
    await using _ = world;
    world.leap = leap;
    run(world);
    await pause(50);
    ready();
    world.ahead += RETRY;
    run(world);
    await world.untilEmpty();
    assertEquals(world.reports.length, 0);
  });

  Deno.test(`a clock set ${how} between two runs bounces nothing, however often qmgr starts`, async () => {
    const { world } = await waiting();
    await using _ = world;
    let down = true;
    const agent = (request: DeliveryRequest) => all(request, down ? deferred : sent);
    let directory = world.crash();
    for (let start = 0; start < 2; start++) {
      await using next = await World.open({ directory, agent, leap });
      next.ahead += 60_000;
      await next.flush.call("flush", { id: "", site: "" });
      await next.until(() => next.requests.length > 0);
      await next.untilIn((await listed(next))[0]!, "deferred");
      assertEquals(next.reports.length, 0);
      directory = next.crash();
    }
    down = false;
    await using last = await World.open({ directory, agent, leap });
    await last.flush.call("flush", { id: "", site: "" });
    await last.untilEmpty();
    assertEquals(last.reports.length, 0);
  });

  Deno.test(`mail that comes while the clock is set ${how} is delivered after it was set right`, async () => {
    let down = true;
    await using world = await World.open({
      agent: (request) => all(request, down ? deferred : sent),
    });
    world.leap = leap;
    const queueId = await world.enqueue(["a@x"], { arrived: Date.now() + leap });
    await world.untilIn(queueId, "deferred");
    world.leap = 0;
    down = false;
    world.ahead += RETRY;
    run(world);
    await world.untilEmpty();
    assertEquals(world.reports.length, 0);
  });

  Deno.test(`a clock set ${how} keeps no destination dead and wakes nobody without end`, async () => {
    let down = true, calls = 0;
    await using world = await World.open({
      agent: (request) => {
        calls++;
        const site = { dsn: "4.4.1", text: "connection refused" };
        return down ? { ...all(request, deferred), siteProblem: site } : all(request, sent);
      },
    });
    const dead = await world.enqueue(["a@x"]);
    await world.untilIn(dead, "deferred");
    world.leap = leap;
    down = false;
    const before = calls;
    await pause(100);
    assert(calls - before < 3, `${calls - before} deliveries by themselves`);
    world.ahead += RETRY;
    run(world);
    const fresh = await world.enqueue(["b@x"], { arrived: Date.now() + leap });
    await world.until(() => world.lines(fresh).includes("removed"));
  });
}

Deno.test("mail that is too old when the clock has stood still where it was set to is bounced", async () => {
  const { world, queueId } = await waiting();
  await using _ = world;
  world.leap = 10 * DAY;
  run(world);
  await world.until(() => world.requests.length === 2);
  await world.untilIn(queueId, "deferred");
  world.ahead += RETRY;
  run(world);
  await world.untilEmpty();
  assertEquals(world.reports.length, 1);
});

Deno.test("a clock set ahead warns nobody of a delay, until it has stood still where it was set to", async () => {
  await using world = await World.open({
    agent: (request) => all(request, deferred),
    params: { delayWarningTime: 4 * 3600 },
  });
  const queueId = await world.enqueue(["a@x"]);
  await world.untilIn(queueId, "deferred");
  world.leap = DAY;
  run(world);
  await world.until(() => world.requests.length === 2);
  await world.untilIn(queueId, "deferred");
  assertEquals(world.reports, []);
  world.ahead += RETRY;
  run(world);
  await world.until(() => world.reports.length === 1);
  assertEquals(world.reports[0]!.kind, "delay");
});
