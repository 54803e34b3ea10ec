/** What agents say to a restarted qmgr, when it comes in numbers, or while their recipients are being routed. */

import { assert, assertEquals } from "@std/assert";
import { GRACE_MS, type Options, resolvedTo, sent, World } from "./test_world.ts";

/** The disk of a qmgr that was killed while it delivered so many messages of two recipients, and their queue ids. */
async function crashed(count: number, options: Options = {}): Promise<[string, string[]]> {
  await using world = await World.open({ ...options, agent: () => new Promise<never>(() => {}) });
  const ids = [];
  for (let i = 0; i < count; i++) ids.push(await world.enqueue([`r${i}@d${i}`, `s${i}@d${i}`]));
  const disk = world.crash();
  world.qmgr.drainMs = 0;
  return [disk, ids];
}

Deno.test("outcomes that come together are committed together, and nobody gets mail twice", async () => {
  const count = 200;
  const [directory, ids] = await crashed(count);
  let commits = 0;
  await using world = await World.open({
    directory,
    graceMs: GRACE_MS,
    around: (store) => {
      const commit = store.commit.bind(store);
      store.commit = (batch) => (commits++, commit(batch));
      return store;
    },
  });
  await Promise.all(ids.map((queueId) =>
    world.outcomes.call("report", {
      handed: world.handed(queueId, 0, 1),
      outcomes: [sent(0), sent(1)],
    })
  ));
  assert(commits < count / 2, `${commits} commits for ${count} reports`);
  world.endGrace();
  await world.untilEmpty();
  assertEquals(world.requests.length, 0);
});

/** A world that takes up the mail of a former one, and whose rewrite does not answer until the test says so. */
async function routing(): Promise<{ world: World; queueId: string; answer: () => void }> {
  const [directory, [queueId]] = await crashed(1);
  const asked = Promise.withResolvers<void>(), answered = Promise.withResolvers<void>();
  const world = await World.open({
    directory,
    resolve: async (address) => {
      asked.resolve();
      await answered.promise;
      return resolvedTo("smtp", "x", address);
    },
  });
  await asked.promise;
  return { world, queueId: queueId!, answer: answered.resolve };
}

Deno.test("a report that comes while recipients are being routed counts", async () => {
  const { world, queueId, answer } = await routing();
  await using _ = world;
  const report = { handed: world.handed(queueId, 0), outcomes: [sent(0)] };
  await world.outcomes.call("report", report);
  assertEquals((await world.store.tally(queueId)).sent, 1);
  // Whoever did not hear that it counts says it again.
  await world.outcomes.call("report", report);
  answer();
  await world.untilEmpty();
  assertEquals(world.requests.map(({ recipients }) => recipients.map(({ n }) => n)), [[1]]);
});

Deno.test("a message of which all is reported while it is being routed is done with", async () => {
  const { world, queueId, answer } = await routing();
  await using _ = world;
  await world.outcomes.call("report", {
    handed: world.handed(queueId, 0, 1),
    outcomes: [sent(0), sent(1)],
  });
  answer();
  await world.untilEmpty();
  assertEquals(world.requests.length, 0);
});

Deno.test("recipients that are claimed while they are being routed are left to their agent", async () => {
  const { world, queueId, answer } = await routing();
  await using _ = world;
  const working = world.outcomes.call("working", world.handed(queueId, 0, 1));
  await world.until(() => world.qmgr.answers.some(({ busy }) => busy > 0));
  answer();
  await world.outcomes.call("report", {
    handed: world.handed(queueId, 0, 1),
    outcomes: [sent(0), sent(1)],
  });
  await working;
  await world.untilEmpty();
  assertEquals(world.requests.length, 0);
});

Deno.test("recipients with whom an agent has ended in vain are delivered, whatever else it has", async () => {
  const [directory, [first, second]] = await crashed(2);
  await using world = await World.open({ directory, graceMs: GRACE_MS });
  const others = world.outcomes.call("working", world.handed(first!, 0, 1));
  const working = world.outcomes.call("working", world.handed(second!, 0, 1));
  await world.until(() => world.qmgr.answers.some(({ busy }) => busy === 2));
  world.endGrace();
  await world.until(() => world.qmgr.activeQueue.messages.get(second!)?.withheld === 2);
  await world.outcomes.call("report", { handed: world.handed(second!, 0, 1), outcomes: [] });
  await world.until(() => world.requests.length === 2);
  await working;
  assertEquals(world.requests.map(({ envelope }) => envelope.queueId), [second, second]);
  await world.outcomes.call("report", {
    handed: world.handed(first!, 0, 1),
    outcomes: [sent(0), sent(1)],
  });
  await others;
  await world.untilEmpty();
});

Deno.test("the sender who asked hears of what an agent delivered for a former qmgr", async () => {
  let disk = "", queueId = "";
  {
    await using world = await World.open({ agent: () => new Promise<never>(() => {}) });
    queueId = await world.enqueue(["a@x"], { notify: ["SUCCESS"] });
    disk = world.crash();
    world.qmgr.drainMs = 0;
  }
  await using world = await World.open({ directory: disk, graceMs: GRACE_MS });
  const working = world.outcomes.call("working", world.handed(queueId, 0));
  await world.until(() => world.qmgr.answers.some(({ busy }) => busy > 0));
  world.endGrace();
  await world.until(() => world.qmgr.activeQueue.messages.get(queueId)?.withheld === 1);
  await world.outcomes.call("report", { handed: world.handed(queueId, 0), outcomes: [sent(0)] });
  await working;
  await world.untilEmpty();
  assertEquals(world.reports.map(({ kind }) => kind), ["success"]);
});
