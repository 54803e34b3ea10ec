/** What a sync of the log that is slow or fails means to those who wait for it. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { pause } from "../../tests/support/waiting.ts";
import { StorageError } from "../errors.ts";
import { setSink } from "../log/log.ts";
import { logFile } from "./sqlite_schema.ts";
import { openStore, type SqliteStore } from "./sqlite_store.ts";
import type { NewMessage } from "./store.ts";
import { batch, bytes, envelope, recipient } from "./test_stores.ts";

/** Syncs end as the test says. */
class Disk implements Disposable {
  #syncData = Deno.FsFile.prototype.syncData;
  #syncDataSync = Deno.FsFile.prototype.syncDataSync;
  #ended = Promise.resolve();
  broken = false;

  constructor() {
    Deno.FsFile.prototype.syncData = async () => {
      await this.#ended;
      this.#fail();
    };
    Deno.FsFile.prototype.syncDataSync = () => this.#fail();
  }

  /** Syncs wait until the function that is returned is called. */
  stall(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    return resolve;
  }

  [Symbol.dispose](): void {
    Deno.FsFile.prototype.syncData = this.#syncData;
    Deno.FsFile.prototype.syncDataSync = this.#syncDataSync;
  }

  #fail(): void {
    if (this.broken) throw new Error("Input/output error");
  }
}

function message(queue: NewMessage["queue"], id?: string): NewMessage {
  return {
    envelope: envelope(),
    recipients: [recipient("a@x")],
    content: bytes("Subject: x\r\n\r\n"),
    queue,
    source: id === undefined ? undefined : { id, settled: [] },
  };
}

function test(
  title: string,
  run: (store: SqliteStore, disk: Disk, directory: string) => Promise<void>,
): void {
  Deno.test(title, async () => {
    setSink(() => {});
    const directory = Deno.makeTempDirSync();
    const store = openStore(directory);
    using disk = new Disk();
    try {
      await run(store, disk, directory);
    } finally {
      disk.broken = false;
      await store.close();
      Deno.removeSync(directory, { recursive: true });
    }
  });
}

test("commit() and queuedAs() resolve when the log is synced, not before", async (store, disk) => {
  const done: string[] = [];
  const release = disk.stall();
  const first = store.commit(batch({ added: [message("active", "source")] }))
    .then(() => done.push("first"));
  const second = store.queuedAs("source").then(() => done.push("second"));
  await pause(20);
  assertEquals(done, []);
  release();
  await Promise.all([first, second]);
  assertEquals(done, ["first", "second"]);
});

test(
  "mail that was refused because the log could not be synced is not in the queue later",
  async (store, disk) => {
    const [kept, refused, again] = [
      message("incoming"),
      message("incoming", "a"),
      message("active"),
    ];
    await store.commit(batch({ added: [kept] }));
    disk.broken = true;
    await assertRejects(
      () => store.commit(batch({ added: [refused] })),
      StorageError,
      "queue.db-wal",
    );
    // What is in doubt is neither delivered nor taken for queued.
    await assertRejects(() => store.due("incoming", Infinity, 10), StorageError);
    await assertRejects(() => store.queuedAs("a"), StorageError);
    await assertRejects(() => store.commit(batch({ added: [again] })), StorageError);
    disk.broken = false;
    const { messages } = await store.due("incoming", Infinity, 10);
    assertEquals(messages.map(({ envelope }) => envelope.queueId), [kept.envelope.queueId]);
    assertEquals(await store.queuedAs("a"), undefined);
    await store.commit(batch({ added: [again] }));
    assertEquals((await store.find(again.envelope.queueId))?.queue, "active");
  },
);

test(
  "a message whose queue id was taken is not taken for one that was refused",
  async (store, disk) => {
    const first = message("incoming");
    await store.commit(batch({ added: [first] }));
    disk.broken = true;
    const second = { ...message("incoming"), envelope: first.envelope };
    await assertRejects(() => store.commit(batch({ added: [second] })), StorageError);
    disk.broken = false;
    await store.commit(batch({}));
    assertEquals((await store.find(first.envelope.queueId))?.queue, "incoming");
  },
);

test(
  "a start writes the log anew before anything is added to it",
  async (store, _disk, directory) => {
    await store.commit(batch({ added: [message("incoming")] }));
    const log = logFile(directory), before = Deno.readFileSync(log);
    Deno.utimeSync(log, 0, 0);
    const next = openStore(directory);
    const after = Deno.readFileSync(log);
    assert(before.every((byte, at) => byte === after[at]));
    assert(Deno.statSync(log).mtime!.getTime() > 0);
    await next.close();
  },
);
