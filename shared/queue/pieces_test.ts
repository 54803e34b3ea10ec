/** Messages of the SQLite store whose content is in a segment, and no longer in it. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { namesIn } from "../../tests/support/files.ts";
import { StorageError } from "../errors.ts";
import { setSink } from "../log/log.ts";
import { SEGMENT_BYTES } from "./segments.ts";
import { contentBudget } from "./kept_content.ts";
import { openReader } from "./sqlite_reader.ts";
import { openStore, SqliteStore } from "./sqlite_store.ts";
import { DamagedRecord, type NewMessage } from "./store.ts";
import { batch, envelope, recipient } from "./test_stores.ts";

const SIZE = 100_000;
const FITTING = Math.floor(SEGMENT_BYTES / SIZE);

let made = 0;

function message(size = SIZE): NewMessage {
  const content = new Uint8Array(size).fill(made++ % 251);
  return { envelope: envelope(), recipients: [recipient("a@x")], content, queue: "active" };
}

/** Takes in so many messages in one commit. */
async function add(store: SqliteStore, count: number): Promise<NewMessage[]> {
  const added = Array.from({ length: count }, () => message());
  await store.commit(batch({ added }));
  return added;
}

const idOf = ({ envelope }: NewMessage) => envelope.queueId;

function remove(store: SqliteStore, messages: readonly NewMessage[]) {
  return store.commit(batch({ removed: messages.map(idOf) }));
}

/** That the store, or a reader, has these contents as they were. */
async function holds(
  store: Pick<SqliteStore, "content">,
  messages: readonly NewMessage[],
): Promise<void> {
  for (const each of messages) {
    assertEquals(await store.content(idOf(each)), each.content as Uint8Array);
  }
}

const segments = (directory: string) => namesIn(`${directory}/segments`);

function countOf(directory: string, sql: string): number {
  const db = new DatabaseSync(`${directory}/queue.db`);
  try {
    return Number(Object.values(db.prepare(`SELECT count(*) FROM ${sql}`).get()!)[0]);
  } finally {
    db.close();
  }
}

function test(title: string, run: (directory: string, warnings: string[]) => Promise<void>): void {
  Deno.test(title, async () => {
    const directory = Deno.makeTempDirSync(), warnings: string[] = [];
    setSink((_severity, text) => warnings.push(text));
    try {
      await run(`${directory}/queue`, warnings);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });
}

test("content above 32 KiB goes into a segment, and out of it with its message", async (directory) => {
  const store = openStore(directory);
  const small = message(32 * 1024), added = [message(32 * 1024 + 1), message(256 * 1024), small];
  await store.commit(batch({ added }));
  await holds(store, added);
  assertEquals([countOf(directory, "pieces"), countOf(directory, "contents")], [2, 1]);
  await remove(store, added);
  assertEquals([countOf(directory, "pieces"), countOf(directory, "contents")], [0, 0]);
  assertEquals(segments(directory).length, 1);
  await store.close();
  assertEquals(segments(directory), []);
});

test(
  "the next owner, and a reader, find each content where it was",
  async (directory, warnings) => {
    const store = openStore(directory), added = await add(store, 3 * FITTING);
    const gone = added.filter((_, n) => n % 3 !== 0), left = added.filter((_, n) => n % 3 === 0);
    await remove(store, gone);
    const reader = openReader(directory);
    await holds(reader, left);
    await reader.close();
    // The first owner died.
    const next = openStore(directory);
    await holds(next, left);
    assertEquals(await next.recover(0), left.length);
    const more = await add(next, 5 * FITTING);
    await holds(next, [...left, ...more]);
    assertEquals(await next.remove("ALL"), left.length);
    await remove(next, more);
    await next.close();
    assertEquals(segments(directory), []);
    assertEquals(warnings, []);
  },
);

test("a message that is refused leaves the segments to others", async (directory) => {
  const store = openStore(directory), [first] = await add(store, 1);
  const again = { ...message(), envelope: first!.envelope };
  const { refused } = await store.commit(batch({ added: [again, message()] }));
  assertEquals([...refused], [idOf(first!)]);
  await holds(store, [first!]);
  await remove(store, [first!]);
  await assertRejects(() => store.content(idOf(first!)), DamagedRecord, "not in the queue");
});

test("a message that is refused beside one of its own id leaves that one's content alone", async (directory) => {
  const store = openStore(directory), [first, second] = [message(), message()];
  const { refused } = await store.commit(
    batch({ added: [first!, { ...second!, envelope: first!.envelope }] }),
  );
  assertEquals([...refused], [idOf(first!)]);
  await add(store, 2 * FITTING);
  await holds(store, [first!]);
});

test("what a failed commit may have left names its own bytes until it is taken back", async (directory) => {
  const store = openStore(directory), lost = [message(), message()];
  const { syncData } = Deno.FsFile.prototype;
  let syncs = 0;
  try {
    // The segment's, then the log's.
    Deno.FsFile.prototype.syncData = () =>
      ++syncs === 2 ? Promise.reject(new Error("Input/output error")) : Promise.resolve();
    await assertRejects(() => store.commit(batch({ added: lost })), StorageError, "Input/output");
  } finally {
    Deno.FsFile.prototype.syncData = syncData;
  }
  // As a crash now might leave it.
  await holds(openReader(directory), lost);
  const later = await add(store, 3 * FITTING);
  await holds(store, later);
  assertEquals(await store.find(idOf(lost[0]!)), undefined);
  await remove(store, later);
  await store.close();
  assertEquals(segments(directory), []);
});

test("rows that no segment can have are damage, and keep nobody from starting", async (directory) => {
  const store = openStore(directory), [one, other] = await add(store, 2);
  const db = new DatabaseSync(`${directory}/queue.db`);
  db.exec("UPDATE pieces SET segment = 1 << 50 WHERE message = 1");
  db.exec("UPDATE pieces SET at = -9223372036854775808 WHERE message = 2");
  db.close();
  const next = openStore(directory);
  for (const each of [one!, other!]) {
    await assertRejects(async () => await next.content(idOf(each)), DamagedRecord);
  }
  await add(next, 1).then((added) => holds(next, added));
});

test("a commit that fails leaves nothing in a segment", async (directory) => {
  const store = openStore(directory);
  const other = new DatabaseSync(`${directory}/queue.db`);
  other.exec("BEGIN IMMEDIATE");
  await assertRejects(() => add(store, 3), StorageError, "locked");
  other.exec("ROLLBACK");
  other.close();
  const added = await add(store, 3);
  await holds(store, added);
  await store.close();
  assertEquals(segments(directory).length, 1);
});

test("mail that stays behind goes to the database, and the segments to others", async (directory) => {
  const clock = { ms: 0 };
  const store = new SqliteStore(directory, contentBudget(), () => clock.ms);
  const stay: NewMessage[] = [];
  for (let i = 0; i < 10; i++) {
    const [first, ...others] = await add(store, FITTING);
    stay.push(first!);
    await remove(store, others);
  }
  assertEquals(countOf(directory, "pieces"), 10);
  clock.ms = 10_000;
  for (let i = 0; i < 10; i++) await add(store, 1).then((one) => remove(store, one));
  // The last one is in the segment that is written to.
  assertEquals([countOf(directory, "pieces"), countOf(directory, "contents")], [1, 9]);
  await holds(store, stay);
  store.shrink();
  assertEquals(segments(directory).length, 1);
  const next = openStore(directory);
  await holds(next, stay);
  await remove(next, stay);
  assertEquals([countOf(directory, "pieces"), countOf(directory, "contents")], [0, 0]);
});

test("a content that cannot be read stays where it is, and holds up nothing", async (directory) => {
  const clock = { ms: 0 };
  const store = new SqliteStore(directory, contentBudget(), () => clock.ms);
  const [first, second, ...others] = await add(store, FITTING);
  await add(store, 1);
  await remove(store, others);
  Deno.truncateSync(`${directory}/segments/1`, SIZE + 10);
  clock.ms = 10_000;
  await add(store, 1);
  await holds(store, [first!]);
  await assertRejects(() => store.content(idOf(second!)), DamagedRecord, "are missing");
  assertEquals(countOf(directory, "contents"), 1);
  await remove(store, [first!, second!]);
});

test("a segment that has gone makes its messages damaged", async (directory) => {
  const store = openStore(directory), [one] = await add(store, 1);
  Deno.removeSync(`${directory}/segments/1`);
  await assertRejects(() => store.content(idOf(one!)), DamagedRecord, idOf(one!));
  assert((await store.find(idOf(one!)))?.size === SIZE);
  await remove(store, [one!]);
});

test("rows that name no place are damage", async (directory) => {
  const store = openStore(directory), [one] = await add(store, 1);
  const db = new DatabaseSync(`${directory}/queue.db`);
  db.exec("DELETE FROM pieces");
  db.close();
  await assertRejects(() => store.content(idOf(one!)), DamagedRecord, "nothing says where");
});
