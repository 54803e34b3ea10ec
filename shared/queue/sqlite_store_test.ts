/** What holds for the SQLite store beyond the contract: files, modes, damage, a disk that refuses. */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { ConfigError, StorageError } from "../errors.ts";
import { setSink } from "../log/log.ts";
import { queueIdSource } from "../mail/queue_id.ts";
import { testEnvelope } from "../../tests/support/envelope.ts";
import { countsOf } from "../../tests/support/queue_counts.ts";
import { openReader } from "./sqlite_reader.ts";
import { openStore } from "./sqlite_store.ts";
import { DamagedRecord, type NewMessage, type QueueStore } from "./store.ts";

const nextId = queueIdSource();
const LARGE = 400_000;

function message(queue: "active" | "incoming" = "incoming"): NewMessage {
  return {
    envelope: testEnvelope({
      queueId: nextId(),
      sender: "s@example.com",
      arrived: 1,
    }),
    recipients: [{ address: "a@x", original: "a@x", orcpt: "", notify: [] }],
    content: new TextEncoder().encode("Subject: x\r\n\r\n"),
    queue,
  };
}

const EMPTY = { added: [], outcomes: [], reported: [], moved: [], removed: [] };

async function add(store: QueueStore, part: Partial<NewMessage> = {}): Promise<string> {
  const added = { ...message(), ...part };
  await store.commit({ ...EMPTY, added: [added] });
  return added.envelope.queueId;
}

async function* large(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(LARGE);
}

async function addLarge(store: QueueStore): Promise<string> {
  const { envelope } = message();
  const content = await store.keep(envelope.queueId, large(), new AbortController().signal);
  return await add(store, { envelope, content });
}

function test(title: string, run: (directory: string, warnings: string[]) => Promise<void>): void {
  Deno.test(title, async () => {
    const directory = Deno.makeTempDirSync();
    const warnings: string[] = [];
    setSink((_severity, text) => warnings.push(text));
    try {
      await run(`${directory}/queue`, warnings);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });
}

function edit(directory: string, sql: string): void {
  const db = new DatabaseSync(`${directory}/queue.db`);
  db.exec(sql);
  db.close();
}

/** How many rows each table of mail has. */
function rowsOf(directory: string) {
  const db = new DatabaseSync(`${directory}/queue.db`);
  const count = (table: string) =>
    Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()!["n"]);
  const rows = {
    messages: count("messages"),
    recipients: count("recipients"),
    contents: count("contents"),
  };
  db.close();
  return rows;
}

test("openStore() keeps everything from other users", async (directory) => {
  await addLarge(openStore(directory));
  const mode = (path: string) => (Deno.statSync(path).mode! & 0o777).toString(8);
  assertEquals(mode(directory), "700");
  assertEquals(mode(`${directory}/content`), "700");
  const files = ["queue.db", "queue.db-wal", "queue.db-shm"];
  files.push(...[...Deno.readDirSync(`${directory}/content`)].map(({ name }) => `content/${name}`));
  assertEquals(files.length, 4);
  for (const file of files) assertEquals(mode(`${directory}/${file}`), "600", file);
});

test("openStore() removes content files that no message names", async (directory, warnings) => {
  const store = openStore(directory);
  const kept = await addLarge(store);
  await store.keep(nextId(), large(), new AbortController().signal);
  Deno.writeTextFileSync(`${directory}/content/something else`, "x");
  openStore(directory);
  assertEquals([...Deno.readDirSync(`${directory}/content`)].map(({ name }) => name), [kept]);
  assertEquals(warnings, ["queue: removed 2 files of contents that no message names"]);
});

test("commit() leaves no content under the name of a message that is removed", async (directory) => {
  const store = openStore(directory);
  await store.commit({ ...EMPTY, removed: [await addLarge(store)] });
  await addLarge(store);
  await store.remove("ALL");
  const older = await addLarge(store);
  await openStore(directory).commit({ ...EMPTY, removed: [older] });
  const left = [...Deno.readDirSync(`${directory}/content`)].map(({ name }) => name);
  assertEquals(left.filter((name) => !name.startsWith("spare-")), []);
});

test("close() leaves no bytes of messages that were removed", async (directory) => {
  const store = openStore(directory);
  await store.commit({ ...EMPTY, removed: [await addLarge(store)] });
  await store.close();
  assertEquals([...Deno.readDirSync(`${directory}/content`)], []);
});

test("openStore() refuses a database of another version", async (directory) => {
  await add(openStore(directory));
  for (const version of [99, -1]) {
    edit(directory, `PRAGMA user_version = ${version}`);
    await assertRejects(
      async () => openStore(await Promise.resolve(directory)),
      ConfigError,
      `has schema version ${version}`,
    );
  }
});

test("openStore() says which file is no database", async (directory) => {
  Deno.mkdirSync(directory);
  Deno.writeTextFileSync(`${directory}/queue.db`, "x".repeat(10_000));
  await assertRejects(
    async () => openStore(await Promise.resolve(directory)),
    StorageError,
    "queue.db",
  );
});

for (
  const [what, sql] of [
    ["an envelope that is not JSON", "UPDATE messages SET envelope = '{'"],
    ["an envelope of another shape", "UPDATE messages SET envelope = '{\"queueId\":1}'"],
    [
      "an envelope of another message",
      'UPDATE messages SET envelope = replace(envelope, \'"queueId":"\', \'"queueId":"0\')',
    ],
  ] as const
) {
  test(`due() moves ${what} to corrupt and goes on`, async (directory, warnings) => {
    const store = openStore(directory);
    const damaged = await add(store);
    edit(directory, sql);
    const good = await add(store);
    const { messages } = await store.due("incoming", 10, 10);
    assertEquals(messages.map(({ envelope }) => envelope.queueId), [good]);
    assertEquals((await countsOf(store)).corrupt, 1);
    assertStringIncludes(warnings[0]!, `${damaged}: damaged record moved to corrupt`);
    const listed = [];
    for await (const { queue_name, queue_id } of store.list()) listed.push([queue_name, queue_id]);
    assertEquals(listed, [["corrupt", damaged], ["incoming", good]]);
  });
}

for (
  const [what, sql] of [
    ["an outcome that is not JSON", "UPDATE recipients SET outcome = 'x'"],
    ["an outcome of another shape", "UPDATE recipients SET outcome = '[]'"],
    ["an unknown NOTIFY", "UPDATE recipients SET notify = 'SOMETIMES'"],
    ["a line break in an address", "UPDATE recipients SET address = 'a' || char(10)"],
  ] as const
) {
  test(`recipients() finds ${what} damaged`, async (directory) => {
    const store = openStore(directory);
    const queueId = await add(store);
    edit(directory, sql);
    await assertRejects(() => store.recipients(queueId, [], 0, 10), DamagedRecord, queueId);
  });
}

test("content() finds content that is cut short or gone damaged", async (directory) => {
  const store = openStore(directory);
  const small = await add(store), file = await addLarge(store), gone = await addLarge(store);
  edit(directory, "UPDATE contents SET bytes = x'00'");
  Deno.truncateSync(`${directory}/content/${file}`, 10);
  Deno.removeSync(`${directory}/content/${gone}`);
  for (const queueId of [small, file, gone]) {
    await assertRejects(async () => await store.content(queueId), DamagedRecord, queueId);
  }
});

test("commit() that the disk refuses changes nothing, and the next one works", async (directory) => {
  const store = openStore(directory);
  const first = await add(store);
  const pages = new DatabaseSync(`${directory}/queue.db`).prepare("PRAGMA page_count").get()!;
  // The writer's own connection runs out of pages: what a full disk looks like from inside.
  // deno-lint-ignore no-explicit-any
  const { db } = store as any;
  db.exec(`PRAGMA max_page_count = ${pages["page_count"]}`);
  const content = new Uint8Array(32 * 1024);
  await assertRejects(() => add(store, { content }), StorageError, "full");
  assertEquals((await countsOf(store)).incoming, 1);
  await store.commit({ ...EMPTY, moved: [{ queueId: first, queue: "hold", nextTry: 0 }] });
  db.exec("PRAGMA max_page_count = 1000000");
  await add(store, { content });
  assertEquals(await countsOf(store), { incoming: 1, active: 0, deferred: 0, hold: 1, corrupt: 0 });
});

test("commit() gives up on a database that somebody else holds", async (directory) => {
  const store = openStore(directory);
  const other = new DatabaseSync(`${directory}/queue.db`);
  other.exec("BEGIN IMMEDIATE");
  await assertRejects(() => add(store), StorageError, "locked");
  other.exec("ROLLBACK");
  other.close();
  await add(store);
});

test("commit() of what no message can be is our own fault, not the disk's", async (directory) => {
  const store = openStore(directory);
  const queueId = await add(store);
  const moved = [{ queueId, queue: "hold", nextTry: undefined as unknown as number }] as const;
  await assertRejects(() => store.commit({ ...EMPTY, moved }), TypeError);
  assertEquals((await store.find(queueId))?.queue, "incoming");
});

test("openReader() sees what was committed, also of an owner that has closed", async (directory) => {
  const store = openStore(directory);
  const queueId = await addLarge(store);
  const reader = openReader(directory);
  assertEquals((await reader.find(queueId))!.size, LARGE);
  await store.close();
  const second = openReader(directory);
  assertEquals((await countsOf(second)).incoming, 1);
  let size = 0;
  for await (const chunk of await second.content(queueId)) size += (chunk as Uint8Array).length;
  assertEquals(size, LARGE);
  await reader.close();
  await second.close();
});

for (
  const [version, downgrade] of [
    [1, "DROP TRIGGER removal; DROP TABLE pieces; DROP TABLE sources"],
    [2, "DROP TRIGGER removal; DROP TABLE pieces"],
    [3, "DROP TABLE pieces"],
    [4, "DROP TABLE pieces"],
  ] as const
) {
  test(`openStore() brings a queue of version ${version} along, which can be read before`, async (directory) => {
    const queueId = await add(openStore(directory));
    edit(directory, `${downgrade}; PRAGMA user_version = ${version}`);
    const reader = openReader(directory);
    assertEquals((await reader.find(queueId))?.queue, "incoming");
    const store = openStore(directory);
    assertEquals(await store.queuedAs("a".repeat(64)), undefined);
    assertEquals((await reader.find(queueId))?.queue, "incoming");
    await store.commit({ ...EMPTY, removed: [queueId] });
    assertEquals(rowsOf(directory), { messages: 0, recipients: 0, contents: 0 });
    await reader.close();
  });
}

test("commit() removes a message whose content is in a file, whatever became of the others'", async (directory) => {
  const store = openStore(directory);
  await add(store);
  const queueId = await addLarge(store);
  await store.close();
  const db = new DatabaseSync(`${directory}/queue.db`);
  const sql = "SELECT rootpage FROM sqlite_master WHERE name = 'contents'";
  const page = Number(db.prepare(sql).get()!["rootpage"]);
  db.close();
  using file = Deno.openSync(`${directory}/queue.db`, { write: true });
  file.seekSync((page - 1) * 4096, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(4096).fill(0xff));
  const damaged = openStore(directory);
  await damaged.commit({ ...EMPTY, removed: [queueId] });
  assertEquals(await damaged.find(queueId), undefined);
});

test("due() reads the index of waiting mail, and active mail is not in it", async (directory) => {
  await add(openStore(directory), { queue: "active" });
  const db = new DatabaseSync(`${directory}/queue.db`);
  const [plan] = db.prepare(
    "EXPLAIN QUERY PLAN SELECT id FROM messages WHERE queue = ? AND queue <> 'active' AND " +
      "next_try <= ? AND (next_try, id) > (?, ?) ORDER BY next_try, id LIMIT ?",
  ).all();
  assertStringIncludes(String(plan!["detail"]), "USING COVERING INDEX waiting");
  assertEquals(
    db.prepare("SELECT count(*) AS n FROM messages INDEXED BY waiting WHERE queue <> 'active'")
      .get()!["n"],
    0,
  );
  db.close();
});

test("due() passes by what only the index knows", async (directory, warnings) => {
  const store = openStore(directory);
  const [first, lost, last] = [await add(store), await add(store), await add(store)];
  await store.close();
  const path = `${directory}/queue.db`;
  const db = new DatabaseSync(path);
  const index = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'waiting'").get()!;
  db.close();
  const at = (Number(index["rootpage"]) - 1) * 4096;
  const page = Deno.readFileSync(path).slice(at, at + 4096);
  edit(directory, `DELETE FROM messages WHERE queue_id = '${lost}'`);
  edit(directory, "PRAGMA wal_checkpoint(TRUNCATE)");
  // As if the index had not heard of it.
  const database = Deno.readFileSync(path);
  database.set(page, at);
  Deno.writeFileSync(path, database);
  const { messages, next } = await openStore(directory).due("incoming", 1, 9);
  assertEquals(messages.map(({ envelope }) => envelope.queueId), [first, last]);
  assertEquals(next, undefined);
  assertEquals(warnings, ["queue: damaged: 1 messages cannot be read, nor go to corrupt"]);
});

test(
  "due() and recover() pass by what the disk does not give back",
  async (directory, warnings) => {
    const first = openStore(directory);
    const ids = [await add(first), await add(first, { queue: "active" }), await add(first)];
    const lost = await add(first, { queue: "active" });
    const { db } = first as unknown as { db: DatabaseSync };
    const { id } = db.prepare("SELECT id FROM messages WHERE queue_id = ?").get(lost)!;
    unreadable(first, Number(id));
    assertEquals(await first.recover(0), 1);
    edit(directory, `UPDATE messages SET queue = 'incoming' WHERE id = ${id}`);
    const { messages } = await first.due("incoming", 1, 9);
    assertEquals(messages.map(({ envelope }) => envelope.queueId).toSorted(), ids.toSorted());
    const listed = await Array.fromAsync(first.list());
    assertEquals(listed.find(({ queue_id }) => queue_id === lost)?.queue_name, "corrupt");
    const said = "queue: damaged: 1 messages cannot be read, nor go to corrupt";
    assertEquals(warnings, [said, said]);
  },
);

/** From now on the disk gives an input/output error for a row, as SQLite reports it; indexes can be read. */
function unreadable(store: QueueStore, id: number): void {
  const { db } = store as unknown as { db: DatabaseSync };
  const prepare = db.prepare.bind(db);
  db.prepare = (sql) => {
    const statement = prepare(sql);
    const seeks = /\bid = \?/.test(sql);
    if (!seeks && !/envelope|WHERE queue = 'active'$/.test(sql)) return statement;
    const guarded = (name: "all" | "get" | "run") => (...values: number[]) => {
      if (seeks && !values.includes(id)) return statement[name](...values);
      throw Object.assign(new Error("disk I/O error"), { errcode: 266 });
    };
    return { all: guarded("all"), get: guarded("get"), run: guarded("run") } as never;
  };
}

test(
  "due() leaves out what is damaged, though it cannot go to corrupt",
  async (directory, warnings) => {
    const store = openStore(directory);
    const sound = await add(store), damaged = await add(store);
    edit(directory, `UPDATE messages SET envelope = '{' WHERE queue_id = '${damaged}'`);
    edit(
      directory,
      "CREATE TRIGGER no BEFORE UPDATE ON messages BEGIN SELECT RAISE(FAIL, 'no'); END",
    );
    const { messages } = await store.due("incoming", 1, 9);
    assertEquals(messages.map(({ envelope }) => envelope.queueId), [sound]);
    assertStringIncludes(warnings[0]!, `${damaged}: damaged record cannot be moved to corrupt`);
  },
);
