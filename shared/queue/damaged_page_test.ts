/** A page of the database that cannot be read costs what is on it, and nothing beside it. */

import { assert, assertEquals } from "@std/assert";
import { countsOf } from "../../tests/support/queue_counts.ts";
import { namesIn } from "../../tests/support/files.ts";
import { setSink } from "../log/log.ts";
import { once } from "../ipc/content.ts";
import { openStore, type SqliteStore } from "./sqlite_store.ts";
import { batch, bytes, envelope, recipient, T0 } from "./test_stores.ts";
import type { NewMessage } from "./store.ts";

const PAGE_BYTES = 4096;
/** The first byte of a page that is a leaf of an index, or of a table. */
const OF_INDEX = 0x0a, OF_TABLE = 0x0d;
const VICTIM = "victim@example.com";

function message(part: Partial<NewMessage> = {}): NewMessage {
  const recipients = [recipient(`a-${"y".repeat(60)}@x`)];
  return { envelope: envelope(), recipients, content: bytes("x"), queue: "incoming", ...part };
}

/** A queue of which `fill` makes the content, with the first leaf damaged on which `text` stands. */
async function damaged(
  fill: (store: SqliteStore) => Promise<unknown>,
  kind: number,
  text: string,
  run: (store: SqliteStore, directory: string) => Promise<void>,
): Promise<void> {
  setSink(() => {});
  const whole = Deno.makeTempDirSync(), directory = `${whole}/damaged`;
  try {
    const store = openStore(whole);
    await fill(store);
    await store.close();
    const database = Deno.readFileSync(`${whole}/queue.db`);
    let at = PAGE_BYTES;
    const page = () => new TextDecoder("latin1").decode(database.subarray(at, at + PAGE_BYTES));
    while (database[at] !== kind || !page().includes(text)) at += PAGE_BYTES;
    assert(at < database.length);
    database[at] = 0xff;
    Deno.mkdirSync(directory);
    for (const each of ["content", "segments"]) {
      Deno.renameSync(`${whole}/${each}`, `${directory}/${each}`);
    }
    Deno.writeFileSync(`${directory}/queue.db`, database);
    await run(openStore(directory), directory);
  } finally {
    Deno.removeSync(whole, { recursive: true });
  }
}

const sourceId = (n: number) => n.toString(16).padStart(4, "0").repeat(16);
const SOURCES = 400, DAMAGED = sourceId(0x123);

function submissions(store: SqliteStore): Promise<unknown> {
  const added = Array.from(
    { length: SOURCES },
    (_, n) => message({ source: { id: sourceId(n), settled: [] } }),
  );
  return store.commit(batch({ added }));
}

Deno.test("submissions on a damaged page stop neither a start nor what settles them", async () => {
  await damaged(submissions, OF_INDEX, DAMAGED, async (store) => {
    assertEquals(await store.recover(T0 * 2), 0);
    const [settles, plain] = [
      message({ source: { id: sourceId(0x900), settled: [DAMAGED, sourceId(1)] } }),
      message(),
    ];
    await store.commit(batch({ added: [settles, plain] }));
    await store.commit(batch({ removed: [plain.envelope.queueId], settled: [DAMAGED] }));
    assertEquals((await countsOf(store)).incoming, SOURCES + 1);
    assertEquals(await store.queuedAs(sourceId(1)), undefined);
  });
});

const MESSAGES = 260;

/** Every message has a file, so that it is seen whether that goes. */
async function filed(store: SqliteStore): Promise<void> {
  for (let n = 0; n < MESSAGES; n++) {
    const each = message(
      n === 230 ? { recipients: [recipient(VICTIM)], envelope: envelope(undefined, T0 + n) } : {},
    );
    const { queueId } = each.envelope;
    const { signal } = new AbortController();
    const content = await store.spool(queueId, once(new Uint8Array(1)), signal);
    await store.commit(batch({ added: [{ ...each, content }] }));
  }
}

for (
  const [what, kind, text] of [
    ["recipients", OF_INDEX, VICTIM],
    ["messages", OF_TABLE, `"arrived":${T0 + 230},`],
  ] as const
) {
  Deno.test(`an operator's command passes by a damaged page of ${what}`, async () => {
    await damaged(filed, kind, text, async (store, directory) => {
      const contents = () =>
        namesIn(`${directory}/content`).filter((name) => !name.startsWith("spare-")).length;
      const commands = [
        await store.hold("ALL"),
        await store.release("ALL"),
        await store.retry("ALL"),
        await store.retry("ALL", "x"),
      ];
      const readable = commands[0]!;
      if (what === "messages") assert(readable < MESSAGES && readable > MESSAGES - 60);
      else assertEquals(readable, MESSAGES);
      assertEquals(commands, [readable, readable, 0, 0]);
      const removed = await store.remove("ALL");
      assert(removed > MESSAGES - 120 && removed < MESSAGES, `${removed}`);
      const left = await Array.fromAsync(store.list());
      assertEquals([left.length, contents()], [MESSAGES - removed, MESSAGES - removed]);
    });
  });
}

Deno.test("a damaged page of messages leaves every content in segments where it is", async () => {
  const content = new Uint8Array(100_000).fill(65);
  const added = Array.from({ length: 60 }, () => message({ content }));
  const [first, middle] = [added[0]!, added[30]!].map(({ envelope }) => envelope.queueId);
  const fill = (store: SqliteStore) => store.commit(batch({ added }));
  await damaged(fill, OF_TABLE, `"queueId":"${middle}"`, async (store, directory) => {
    const before = namesIn(`${directory}/segments`).length;
    await store.commit(batch({ added: [message({ content: new Uint8Array(100_000) })] }));
    assertEquals(namesIn(`${directory}/segments`).length, before + 1);
    assertEquals(await store.content(first!), content);
  });
});
