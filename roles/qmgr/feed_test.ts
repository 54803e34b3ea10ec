/** Messages that cannot become active hold up nothing but themselves. */

import { assert, assertEquals } from "@std/assert";
import { StorageError } from "../../shared/errors.ts";
import type { SqliteStore } from "../../shared/queue/sqlite_store.ts";
import { DamagedRecord } from "../../shared/queue/store.ts";
import { countsOf } from "../../tests/support/queue_counts.ts";
import { pause } from "../../tests/support/waiting.ts";
import { all, deferred, sent, World } from "./test_world.ts";

/** What the store refuses to make active, and how often it was asked. */
class Refusal {
  readonly ids = new Set<string>();
  tries = 0;

  around = (store: SqliteStore): SqliteStore => {
    const commit = store.commit.bind(store);
    store.commit = (batch) => {
      const isRefused = batch.moved.some(({ queueId, queue }) =>
        queue === "active" && this.ids.has(queueId)
      );
      if (!isRefused) return commit(batch);
      this.tries++;
      return Promise.reject(new StorageError("queue: input/output error"));
    };
    return store;
  };
}

/** A world with so many messages that are due: the first ones cannot become active. */
async function stuck(bad: number, good: number): Promise<{ world: World; refusal: Refusal }> {
  const refusal = new Refusal();
  let down = true;
  const world = await World.open({
    around: refusal.around,
    agent: (request) => all(request, down ? deferred : sent),
  });
  for (let i = 0; i < bad + good; i++) {
    const queueId = await world.enqueue([`r${i}@d${i}`]);
    // In this order they are due.
    await world.untilIn(queueId, "deferred");
    if (i < bad) refusal.ids.add(queueId);
  }
  world.ahead += 3_600_000;
  down = false;
  return { world, refusal };
}

Deno.test("new mail is taken while a message cannot become active", async () => {
  const { world, refusal } = await stuck(1, 0);
  await using _ = world;
  for (let look = 0; look < 10; look++) {
    const before = refusal.tries;
    world.qmgr.scan();
    await world.until(() => refusal.tries > before);
    await world.enqueue([`new${look}@x`]);
  }
});

Deno.test("mail that cannot become active does not hold up what is due behind it", async () => {
  const { world, refusal } = await stuck(60, 5);
  await using _ = world;
  world.qmgr.feeder.troubleMs = 20;
  world.qmgr.scan();
  await world.until(async () => (await countsOf(world.store)).deferred === 60);
  // It is not forgotten.
  refusal.ids.clear();
  await world.untilEmpty();
});

Deno.test("looks for mail that could not become active do not add up", async () => {
  const { world, refusal } = await stuck(1, 0);
  await using _ = world;
  const { feeder } = world.qmgr;
  feeder.troubleMs = 50;
  for (let look = 0; look < 20; look++) {
    const before = refusal.tries;
    world.qmgr.scan();
    await world.until(() => refusal.tries > before);
  }
  const before = refusal.tries;
  await pause(10 * feeder.troubleMs);
  await world.until(() => refusal.tries > before);
  const more = refusal.tries - before;
  assert(more < 30, `${more} tries`);
});

for (const source of ["incoming", "deferred"] as const) {
  Deno.test(`mail of ${source} that has become active on the disk alone goes back, and is delivered`, async () => {
    let isSynced = true, down = true;
    await using world = await World.open({
      agent: (request) => all(request, down ? deferred : sent),
      around: (store) => {
        const commit = store.commit.bind(store);
        store.commit = async (batch) => {
          const done = await commit(batch);
          if (isSynced || !batch.moved.some(({ queue }) => queue === "active")) return done;
          isSynced = true;
          throw new StorageError("sync queue.db-wal: Input/output error");
        };
        return store;
      },
    });
    world.qmgr.feeder.troubleMs = 20;
    const queueId = await world.enqueue(["a@x"]);
    await world.untilIn(queueId, "deferred");
    await world.until(() => world.qmgr.activeQueue.messages.size === 0);
    isSynced = down = false;
    // A flush puts it into incoming.
    if (source === "incoming") await world.flush.call("flush", { id: "", site: "" });
    world.ahead += 3_600_000;
    world.qmgr.scan();
    await world.untilEmpty();
    assertEquals(isSynced, true);
    assertEquals(world.requests.length, 2);
  });
}

for (const recordIsDamaged of [true, false]) {
  const what = recordIsDamaged ? "is damaged" : "cannot be read now, and turns out to be damaged,";
  Deno.test(`what ${what} when it has become active is set apart, and what cannot be is told of`, async () => {
    const refused: string[] = [];
    let broken = "";
    await using world = await World.open({
      agent: (request) => all(request, deferred),
      around: (store) => {
        const tally = store.tally.bind(store), commit = store.commit.bind(store);
        store.tally = (queueId) => {
          const Kind = recordIsDamaged ? DamagedRecord : StorageError;
          return queueId === broken ? Promise.reject(new Kind("gone")) : tally(queueId);
        };
        store.commit = (batch) => {
          const move = batch.moved.find(({ queueId, queue }) =>
            queueId === broken && queue !== "active"
          );
          if (!move) return commit(batch);
          refused.push(move.queue);
          return Promise.reject(new DamagedRecord("malformed"));
        };
        return store;
      },
    });
    const queueId = await world.enqueue(["a@x"]);
    await world.untilIn(queueId, "deferred");
    broken = queueId;
    await world.flush.call("flush", { id: queueId, site: "" });
    await world.until(() =>
      world.lines(queueId).length > 0 &&
      world.log.some((line) => line.includes(`${queueId}: damaged record cannot be moved`))
    );
    assertEquals(new Set(refused), new Set([...recordIsDamaged ? [] : ["deferred"], "corrupt"]));
  });
}

Deno.test("what has to be done before a pass, and cannot be, holds up no mail", async () => {
  let down = true;
  await using world = await World.open({
    agent: (request) => all(request, down ? deferred : sent),
    around: (store) => {
      const fail = () => Promise.reject<never>(new StorageError("input/output error"));
      store.hasten = fail;
      store.forget = fail;
      return store;
    },
  });
  const queueId = await world.enqueue(["a@x"]);
  await world.untilIn(queueId, "deferred");
  down = false;
  world.ahead += 3_600_000;
  world.qmgr.scan();
  await world.untilEmpty();
});

Deno.test("mail that is flushed while its deferral is being synced is delivered", async () => {
  const synced = Promise.withResolvers<void>();
  let down = true;
  await using world = await World.open({
    agent: (request) => all(request, down ? deferred : sent),
    around: (store) => {
      const commit = store.commit.bind(store);
      store.commit = async (batch) => {
        const done = await commit(batch);
        if (batch.moved.some(({ queue }) => queue === "deferred")) await synced.promise;
        return done;
      };
      return store;
    },
  });
  const queueId = await world.enqueue(["a@x"]);
  await world.untilIn(queueId, "deferred");
  down = false;
  await world.flush.call("flush", { id: "", site: "" });
  await pause(20);
  assertEquals(world.requests.length, 1);
  synced.resolve();
  await world.untilEmpty();
});

Deno.test("mail that is taken back while it is read is not spoken of as mail", async () => {
  let gone = "";
  await using world = await World.open({
    agent: (request) => all(request, deferred),
    around: (store) => {
      const commit = store.commit.bind(store);
      store.commit = async (batch) => {
        const done = await commit(batch);
        const read = batch.moved.find(({ queue, queueId }) =>
          queue === "active" && queueId === gone
        );
        if (read) await commit({ ...batch, moved: [], removed: [read.queueId] });
        return done;
      };
      return store;
    },
  });
  const queueId = await world.enqueue(["a@x"]);
  await world.untilIn(queueId, "deferred");
  await world.until(() => world.qmgr.activeQueue.messages.size === 0);
  const before = world.lines(queueId).length;
  gone = queueId;
  await world.flush.call("flush", { id: "", site: "" });
  await world.until(async () => await world.store.find(queueId) === undefined);
  await pause(20);
  assertEquals(world.lines(queueId).length, before);
  assertEquals(world.requests.length, 1);
});
