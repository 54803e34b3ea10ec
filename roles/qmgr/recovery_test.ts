/** What becomes of mail when qmgr, an agent or the disk fails at each step. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { client } from "../../shared/ipc/client.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { StorageError } from "../../shared/errors.ts";
import { outcomesService } from "../../shared/protocols/queue.ts";
import type { DeliveryReply, DeliveryRequest } from "../../shared/protocols/delivery.ts";
import type { SqliteStore } from "../../shared/queue/sqlite_store.ts";
import { all, bounced, deferred, GRACE_MS, type Options, sent, World } from "./test_world.ts";
import { pause } from "../../tests/support/waiting.ts";
import { countsOf } from "../../tests/support/queue_counts.ts";

/** A world that never ends a delivery, its queue ids, and the disk that its crash leaves. */
async function crashed(count: number, options: Options = {}): Promise<[string, string[]]> {
  await using world = await World.open({ agent: () => new Promise<never>(() => {}), ...options });
  const ids = [];
  for (let i = 0; i < count; i++) ids.push(await world.enqueue([`r${i}@d${i}`, `s${i}@d${i}`]));
  const disk = world.crash();
  // Nothing waits for deliveries that never end.
  world.qmgr.activeQueue.stop = () => Promise.resolve();
  return [disk, ids];
}

Deno.test("mail that was in delivery when qmgr was killed is delivered by the next one", async () => {
  const [directory] = await crashed(3);
  await using world = await World.open({ directory });
  await world.untilEmpty();
  assertEquals(world.requests.length, 3);
});

Deno.test("mail that was in delivery waits for the grace, new mail does not", async () => {
  const [directory, [old]] = await crashed(1);
  await using world = await World.open({ directory, graceMs: GRACE_MS });
  const fresh = await world.enqueue(["a@x"]);
  await world.until(() => world.lines(fresh).includes("removed"));
  assertEquals(world.lines(old!), []);
  world.endGrace();
  await world.untilEmpty();
});

Deno.test("a kill after the agent's answer and before its commit delivers again: at least once", async () => {
  let disk = "";
  await using world = await World.open({
    agent: (request) => {
      disk ||= world.crash();
      return all(request, sent);
    },
  });
  await world.enqueue(["a@x"]);
  await world.untilEmpty();
  await using next = await World.open({ directory: disk });
  await next.untilEmpty();
  assertEquals(next.requests.length, 1);
});

Deno.test("a kill between outcomes and report: nobody gets mail twice, the sender hears", async () => {
  let disk = "";
  await using world = await World.open({
    agent: (request) => all(request, (n) => n ? bounced(n) : sent(n)),
    bounce: () => {
      disk ||= world.crash();
      return Promise.resolve("4dXyZ12345z1");
    },
  });
  await world.enqueue(["a@x", "b@x"]);
  await world.untilEmpty();
  await using next = await World.open({ directory: disk });
  await next.untilEmpty();
  assertEquals([next.requests.length, next.reports.length], [0, 1]);
  assertEquals(next.reports[0]!.recipients.map(({ address }) => address), ["b@x"]);
});

Deno.test("a kill after the removal leaves nothing to do", async () => {
  await using world = await World.open();
  await world.enqueue(["a@x"]);
  await world.untilEmpty();
  await using next = await World.open({ directory: world.crash() });
  await next.enqueue(["b@x"]);
  await next.untilEmpty();
  assertEquals(next.requests.length, 1);
});

Deno.test("a kill while content streams in leaves nothing", async () => {
  let disk = "";
  await using world = await World.open();
  async function* slow() {
    for (let i = 0; i < 20; i++) yield await Promise.resolve(new Uint8Array(60_000));
    await world.until(() => [...Deno.readDirSync(`${world.directory}/content`)].length > 0);
    disk = world.crash();
  }
  await world.enqueue(["a@x"], { content: slow() });
  assertEquals([...Deno.readDirSync(`${disk}/content`)].length, 1);
  await using next = await World.open({ directory: disk });
  assertEquals([...Deno.readDirSync(`${disk}/content`)], []);
  assertEquals((await countsOf(next.store)).incoming, 0);
});

Deno.test("every recipient of accepted mail is sent, reported or queued, wherever the kill falls", async () => {
  const disks: { directory: string; accepted: string[]; finished: Set<string> }[] = [];
  const accepted: string[] = [];
  const finished = new Set<string>();
  let answers = 0;
  await using world = await World.open({
    agent: (request) => {
      if (++answers % 7 === 0) {
        disks.push({
          directory: world.crash(),
          accepted: [...accepted],
          finished: new Set(finished),
        });
      }
      return all(request, (n) => {
        const outcome = [sent, deferred, bounced][(answers + n) % 3]!(n);
        if (outcome.status === "sent") {
          finished.add(request.recipients.find((r) => r.n === n)!.address);
        }
        return outcome;
      });
    },
    bounce: (report) => {
      for (const { address } of report.recipients) finished.add(address);
      return Promise.resolve("4dXyZ12345z1");
    },
  });
  for (let i = 0; i < 60; i++) {
    const addresses = [`a${i}@d${i % 5}`, `b${i}@d${i % 3}`];
    await world.enqueue(addresses);
    accepted.push(...addresses);
  }
  await world.until(() => world.qmgr.activeQueue.messages.size === 0);
  assert(disks.length > 3);
  for (const { directory, accepted, finished } of disks) {
    await using next = await World.open({
      directory,
      agent: (request) => {
        for (const { address } of request.recipients) finished.add(address);
        return all(request, sent);
      },
      bounce: (report) => {
        for (const { address } of report.recipients) finished.add(address);
        return Promise.resolve("4dXyZ12345z1");
      },
    });
    await next.flush.call("flush", { id: "", site: "" });
    await next.untilEmpty();
    assertEquals(accepted.filter((address) => !finished.has(address)), []);
  }
});

Deno.test("recipients that an agent still delivers are left to it, and its report is taken", async () => {
  const [directory, [queueId]] = await crashed(1);
  await using world = await World.open({ directory, graceMs: GRACE_MS });
  const working = world.outcomes.call("working", world.handed(queueId!, 0));
  await world.until(() => world.qmgr.answers.some(({ busy }) => busy > 0));
  world.endGrace();
  await world.until(() => world.requests.length === 1);
  assertEquals(world.requests[0]!.recipients.map(({ n }) => n), [1]);
  await pause(50);
  assertEquals((await world.store.find(queueId!))!.queue, "active");
  await world.outcomes.call("report", {
    handed: world.handed(queueId!, 0),
    outcomes: [sent(0)],
  });
  await working;
  await world.untilEmpty();
  assertEquals(world.requests.length, 1);
});

Deno.test("recipients are delivered from here when the agent that claimed them is gone", async () => {
  const [directory, [queueId]] = await crashed(1);
  await using world = await World.open({ directory, graceMs: GRACE_MS });
  world.outcomes.call("working", world.handed(queueId!, 0, 1)).catch(() => {});
  await world.until(() => world.qmgr.answers.some(({ busy }) => busy > 0));
  world.endGrace();
  await world.until(() => world.qmgr.activeQueue.messages.get(queueId!)?.withheld === 2);
  assertEquals(world.requests.length, 0);
  world.outcomes.close();
  await world.untilEmpty();
  assertEquals(world.requests.map(({ recipients }) => recipients.map(({ n }) => n)), [[0], [1]]);
});

Deno.test("a report that comes before the message is active counts", async () => {
  const [directory, [queueId]] = await crashed(1);
  await using world = await World.open({ directory, graceMs: GRACE_MS });
  await world.outcomes.call("report", {
    handed: world.handed(queueId!, 0, 1),
    outcomes: [sent(0), bounced(1)],
  });
  world.endGrace();
  await world.untilEmpty();
  assertEquals([world.requests.length, world.reports.length], [0, 1]);
});

Deno.test("nobody speaks for recipients, or reads content, that qmgr did not hand over", async () => {
  const [directory, [queueId, other]] = await crashed(2);
  await using world = await World.open({ directory, graceMs: GRACE_MS });
  const { seal } = world.handed(queueId!, 0);
  const wrong = [
    { queueId: other!, recipients: [0], seal },
    { queueId: queueId!, recipients: [0, 1], seal },
    { queueId: queueId!, recipients: [1], seal: "" },
  ];
  const refused = (asked: Promise<unknown>) => assertRejects(() => asked, CallError, "seal");
  for (const handed of wrong) {
    await refused(world.outcomes.call("working", handed));
    await refused(world.outcomes.call("content", handed));
    await refused(world.outcomes.call("report", { handed, outcomes: [sent(0)] }));
  }
  await assertRejects(
    () => {
      const handed = world.handed(queueId!, 0);
      return world.outcomes.call("report", { handed, outcomes: [sent(0), sent(1)] });
    },
    CallError,
    "not handed over",
  );
  for (const id of [queueId!, other!]) assertEquals((await world.store.tally(id)).todo, 2);
});

Deno.test("a report is not believed about what was handed out since, is done, or does not exist", async () => {
  let reply!: (reply: DeliveryReply) => void, asked!: DeliveryRequest;
  await using world = await World.open({
    agent: (request) => {
      asked = request;
      return new Promise((resolve) => (reply = resolve));
    },
  });
  const queueId = await world.enqueue(["a@x"]);
  await world.until(() => asked !== undefined);
  const report = (id: string, n: number) =>
    world.outcomes.call("report", { handed: world.handed(id, n), outcomes: [sent(n)] });
  await report(queueId, 0);
  await report(queueId, 44);
  await report("4dXyZ12345z1", 0);
  assertEquals((await world.store.tally(queueId)).todo, 1);
  reply(all(asked, deferred));
  await world.untilIn(queueId, "deferred");
});

Deno.test("a report takes a recipient that waits out of the schedule", async () => {
  const waiting: (() => void)[] = [];
  await using world = await World.open({
    agent: (request) => new Promise((resolve) => waiting.push(() => resolve(all(request, sent)))),
  });
  await world.enqueue(["a@x"]);
  await world.enqueue(["b@x"]);
  const queueId = await world.enqueue(["c@x", "d@x"]);
  await world.until(() => waiting.length === 2);
  await world.outcomes.call("report", { handed: world.handed(queueId, 0), outcomes: [sent(0)] });
  await world.until(() => (waiting.splice(0).forEach((go) => go()), world.requests.length === 3));
  assertEquals(world.requests[2]!.recipients.map(({ n }) => n), [1]);
  await world.until(() => (waiting.splice(0).forEach((go) => go()), world.settled === 3));
});

/** A store whose commits fail while `broken` says so. */
function breaking(state: { broken: boolean }) {
  return (store: SqliteStore): SqliteStore => {
    const commit = store.commit.bind(store);
    store.commit = (batch) =>
      state.broken
        ? Promise.reject(new StorageError("queue: database or disk is full"))
        : commit(batch);
    return store;
  };
}

Deno.test("a full disk stops intake, loses no outcome, and ends by itself", async () => {
  const state = { broken: false };
  let reply!: () => void;
  await using world = await World.open({
    around: breaking(state),
    agent: (request) => new Promise((resolve) => (reply = () => resolve(all(request, sent)))),
  });
  const queueId = await world.enqueue(["a@x"]);
  await world.until(() => world.requests.length === 1);
  state.broken = true;
  reply();
  const refused = await assertRejects(() => world.enqueue(["b@x"]), CallError) as CallError;
  assertEquals(refused.code, "storage");
  await pause(30);
  assertEquals([world.settled, (await world.store.find(queueId))!.queue], [0, "active"]);
  state.broken = false;
  await world.until(() => world.settled === 1);
  assertEquals(world.lines(queueId).at(-1), "removed");
});

Deno.test("mail that could not become active for a full disk does when there is room", async () => {
  const state = { broken: false };
  let down = true;
  await using world = await World.open({
    around: breaking(state),
    agent: (request) => all(request, down ? deferred : sent),
  });
  // More than are read at a time.
  const count = 60;
  await Promise.all(Array.from({ length: count }, (_, i) => world.enqueue([`r${i}@d${i}`])));
  await world.until(async () => (await countsOf(world.store)).deferred === count);
  world.ahead += 3_600_000;
  state.broken = true;
  world.qmgr.scan();
  await world.until(() => world.log.some((line) => line.startsWith("warning: scan deferred: ")));
  state.broken = down = false;
  world.qmgr.scan();
  await world.untilEmpty();
});

Deno.test("mail that comes together is committed together", async () => {
  let commits = 0;
  await using world = await World.open({
    around: (store) => {
      const commit = store.commit.bind(store);
      store.commit = (batch) => (commits++, commit(batch));
      return store;
    },
  });
  const count = 400;
  await Promise.all(Array.from({ length: count }, (_, i) => world.enqueue([`r${i}@d${i % 9}`])));
  await world.until(() => world.settled === count);
  assertEquals((await countsOf(world.store)).active, 0);
  assert(commits < count / 2, `${commits} commits for ${count} messages, in and out`);
});

Deno.test("drain() waits for running deliveries and begins no others", async () => {
  const waiting: (() => void)[] = [];
  const options: Options = {
    agent: (request) => new Promise((resolve) => waiting.push(() => resolve(all(request, sent)))),
  };
  await using world = await World.open(options);
  const ids = [];
  for (let i = 0; i < 4; i++) ids.push(await world.enqueue([`r${i}@x`]));
  await world.until(() => waiting.length === 2);
  const drained = world.qmgr.drain();
  const late = await world.enqueue(["late@x"]);
  waiting.splice(0).forEach((go) => go());
  await drained;
  assertEquals(world.requests.length, 2);
  assertEquals([world.settled, (await countsOf(world.store)).active], [2, 2]);
  assertEquals((await world.store.find(late))!.queue, "incoming");
});

Deno.test("a claim does not keep a draining qmgr", async () => {
  await using world = await World.open();
  const outcomes = client(outcomesService, { path: world.socket("outcomes") });
  const working = outcomes.call("working", world.handed("4dXyZ12345z1", 1));
  await world.until(() => world.qmgr.answers.some(({ busy }) => busy > 0));
  await world.qmgr.drain();
  await working;
  outcomes.close();
});

Deno.test("stop() leaves a drain that goes on already no more time than it says", async () => {
  await using world = await World.open({ agent: () => new Promise(() => {}) });
  await world.enqueue(["a@x"]);
  await world.until(() => world.requests.length === 1);
  world.qmgr.drainMs = 60_000;
  const began = performance.now(), drained = world.qmgr.drain();
  world.qmgr.stop(0);
  await drained;
  assert(performance.now() - began < 30_000);
});
