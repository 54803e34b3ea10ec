/** What becomes of the queue on a disk that runs full, by its own doing or by somebody else's. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { countsOf } from "../../tests/support/queue_counts.ts";
import { hasSmallDisks, ReadOnlyView, SmallDisk } from "../../tests/support/disk.ts";
import { setSink } from "../log/log.ts";
import { openReader } from "./sqlite_reader.ts";
import { openStore, type SqliteStore } from "./sqlite_store.ts";
import { FullDisk, type NewMessage } from "./store.ts";
import { batch, envelope, recipient } from "./test_stores.ts";

/** As much as goes into the database. */
const CONTENT = new Uint8Array(32 * 1024).fill(65);
const QUEUED = { incoming: 0, active: 0, deferred: 0, hold: 0, corrupt: 0 };

function message(queue: NewMessage["queue"] = "active"): NewMessage {
  return { envelope: envelope(), recipients: [recipient("a@x")], content: CONTENT, queue };
}

async function add(store: SqliteStore, queue?: NewMessage["queue"]): Promise<string> {
  const added = message(queue);
  await store.commit(batch({ added: [added] }));
  return added.envelope.queueId;
}

/** Takes mail until there is no room for it: it may go to the log, to the database, and what is kept grows with the log. */
async function fill(store: SqliteStore, queue?: NewMessage["queue"]): Promise<string[]> {
  const taken: string[] = [];
  while (store.room().disk > 4 * CONTENT.length) taken.push(await add(store, queue));
  assert(taken.length > 50, `${taken.length} messages`);
  return taken;
}

/** Takes mail until the disk has no page for more of it, not even what changes would find place in. */
async function overfill(store: SqliteStore): Promise<string[]> {
  const taken: string[] = [];
  await assertRejects(async () => {
    for (;;) taken.push(await add(store));
  }, FullDisk);
  return taken;
}

const reserveOf = (directory: string) => Deno.statSync(`${directory}/reserve`).size;

function test(
  title: string,
  run: (directory: string, disk: SmallDisk, warnings: string[]) => Promise<void>,
): void {
  Deno.test({
    name: hasSmallDisks ? title : `${title} (only root can mount a small disk)`,
    ignore: !hasSmallDisks,
    async fn() {
      const warnings: string[] = [];
      setSink((_severity, text) => warnings.push(text));
      using disk = new SmallDisk();
      await run(`${disk.directory}/queue`, disk, warnings);
    },
  });
}

test("a queue that has filled its disk gives every message up again", async (directory, disk) => {
  const store = openStore(directory);
  const taken = await fill(store);
  disk.fill();
  for (const queueId of taken) {
    await store.commit(batch({ removed: [queueId] }));
  }
  assertEquals(await countsOf(store), QUEUED);
  await add(store);
});

test("remove() empties a queue that has filled its disk", async (directory, disk) => {
  const store = openStore(directory);
  const { length } = await fill(store, "incoming");
  disk.fill();
  assertEquals(await store.remove("ALL"), length);
  assertEquals(await countsOf(store), QUEUED);
});

test("a queue on a full disk can be opened after a crash, and emptied", async (directory, disk) => {
  const first = openStore(directory);
  for (let i = 0; i < 40; i++) await add(first);
  first.room();
  // As after a reboot: without what SQLite makes at a start.
  const copy = `${disk.directory}/copy`;
  Deno.mkdirSync(copy);
  for (const file of ["queue.db", "queue.db-wal", "reserve"]) {
    Deno.copyFileSync(`${directory}/${file}`, `${copy}/${file}`);
  }
  Deno.mkdirSync(`${copy}/content`);
  disk.fill();
  const store = openStore(copy);
  assertEquals(await store.recover(0), 40);
  assertEquals(await store.remove("ALL"), 40);
});

test(
  "shrink() gives the free pages of a database back when few are in use",
  async (directory, smallDisk) => {
    const store = openStore(directory), { disk: free } = store.room();
    const taken = await fill(store, "incoming");
    const most = taken.length - 15, half = taken.length >> 1;
    await store.remove(taken.slice(0, half + 2));
    store.shrink();
    const { inside, disk } = store.room();
    // What is left would not fit into the log.
    assert(inside > CONTENT.length * half && disk < CONTENT.length * half, `${inside} inside`);
    await store.remove(taken.slice(half + 2, most));
    // Then it does, also where somebody else has the rest of the disk.
    smallDisk.fill();
    store.shrink();
    assertEquals(store.room().inside, 0);
    assertEquals((await countsOf(store)).incoming, 15);
    smallDisk.empty();
    await store.remove("ALL");
    assert(store.room().disk + store.room().inside > free - 1_000_000);
  },
);

for (const [what, count] of [["an empty", 0], ["a short", 2], ["a long", 60]] as const) {
  test(
    `somebody else's full disk leaves space for changes, with ${what} log`,
    async (directory, disk) => {
      const first = openStore(directory);
      const old = await Array.fromAsync({ length: 60 }, () => add(first));
      await first.close();
      const store = openStore(directory);
      const all = [...old, ...await Array.fromAsync({ length: count }, () => add(store))];
      // As an intake that looks at the free space each second.
      for (let looks = 0; looks < 10; looks++) store.room();
      disk.fill();
      all.push(...await overfill(store));
      for (const queueId of all) await store.commit(batch({ removed: [queueId] }));
      assertEquals(await countsOf(store), QUEUED);
    },
  );
}

test(
  "what is kept for changes is not for new mail, and is kept again when there is room",
  async (directory, disk, warnings) => {
    const store = openStore(directory);
    const kept = reserveOf(directory);
    assert(kept > 0 && store.room().disk > 0);
    disk.fill();
    const all = await overfill(store);
    assertEquals(reserveOf(directory), kept);
    assertEquals([store.strained, warnings], [false, []]);

    for (const queueId of all) await store.commit(batch({ removed: [queueId] }));
    assertEquals(store.strained, true);
    assertEquals(warnings, [
      "queue: the disk is full: changes get the space that was kept for them",
    ]);
    assert(store.room().disk < 0);
    assertEquals(store.strained, true);

    disk.empty();
    assert(store.room().disk > 0);
    assertEquals(store.strained, false);
    assert(reserveOf(directory) >= kept);
  },
);

test(
  "changes go on when somebody else takes what was given up for them",
  async (directory, disk) => {
    const store = openStore(directory);
    const all = await Array.fromAsync({ length: 40 }, () => add(store));
    store.room();
    disk.fill();
    for (const queueId of all) {
      await store.commit(batch({ removed: [queueId] }));
      store.shrink();
      disk.fill();
    }
    assert(store.strained);
    assertEquals(await countsOf(store), QUEUED);
  },
);

test(
  "close() uses what is kept for changes, and says what it must leave in the log",
  async (directory, disk, warnings) => {
    const store = openStore(directory);
    await add(store);
    disk.fill();
    await store.close();
    assertEquals(warnings, [
      "queue: the disk is full: changes get the space that was kept for them",
    ]);
    disk.empty();

    const next = openStore(directory);
    for (let i = 0; i < 40; i++) await add(next);
    Deno.removeSync(`${directory}/reserve`);
    disk.fill();
    await next.close();
    assertEquals(warnings.slice(1), [
      "queue: what is in the log is left to the next start: " +
      `${directory}/queue.db: database or disk is full`,
    ]);
    disk.empty();
    assertEquals(await openStore(directory).recover(0), 41);
  },
);

test("who may not write can read a queue that was closed", async (directory) => {
  const store = openStore(directory);
  const queueId = await add(store, "incoming");
  await store.close();
  assert(Deno.statSync(`${directory}/queue.db-wal`).size > 500_000);
  // As when nobody has it open any more.
  const copy = `${directory}-copy`;
  Deno.mkdirSync(copy);
  for (const file of ["queue.db", "queue.db-wal", "queue.db-shm"]) {
    Deno.copyFileSync(`${directory}/${file}`, `${copy}/${file}`);
  }
  using view = new ReadOnlyView(copy);
  const reader = openReader(view.directory);
  assertEquals((await reader.find(queueId))?.queue, "incoming");
  await reader.close();
});

test("what is kept leaves a disk that is too small for it as it is", async (directory, disk) => {
  // The log needs 1 MiB, and as much is kept beside it.
  for (const [left, log] of [[1_500_000, 1024 * 1024], [500_000, 0]] as const) {
    disk.empty();
    disk.fill(left);
    const place = `${directory}-${left}`, store = openStore(place);
    await store.close();
    const used = left - disk.free;
    assert(used >= log && used < log + 150_000, `${used} bytes used`);
    assertThrows(() => reserveOf(place), Deno.errors.NotFound);
  }
});
