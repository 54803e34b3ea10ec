/** What any queue store must do so that a submission counts once: see `test_stores.ts`. */

import { assertEquals } from "@std/assert";
import { batch, bytes, eachStore, envelope, recipient, T0 } from "./test_stores.ts";
import { SOURCES_PAGE } from "./sources.ts";
import { type QueueStore, SOURCE_AGE_MS } from "./store.ts";
import { countsOf } from "../../tests/support/queue_counts.ts";

for (const tools of eachStore()) {
  const { test, reopened } = tools;
  const source = (letter: string, settled: string[] = []) => ({
    id: letter.repeat(64),
    settled: settled.map((each) => each.repeat(64)),
  });
  /** Submits one message from a source. */
  const submit = async (store: QueueStore, from: ReturnType<typeof source>, arrived = T0) => {
    const message = {
      envelope: envelope(undefined, arrived),
      recipients: [recipient("a@x")],
      content: bytes("x\r\n"),
      queue: "incoming" as const,
      source: from,
    };
    const { already, refused } = await store.commit(batch({ added: [message] }));
    assertEquals(refused.size, 0);
    return { queueId: message.envelope.queueId, already: already.get(message) };
  };

  test(
    "a source is queued once, also after a crash and when its message has left",
    async (store, place) => {
      const first = await submit(store, source("a"));
      assertEquals(first.already, undefined);
      assertEquals((await submit(store, source("a"))).already, first.queueId);
      assertEquals(await store.queuedAs("a".repeat(64)), first.queueId);
      assertEquals((await countsOf(store)).incoming, 1);
      await store.commit(batch({ removed: [first.queueId] }));
      await reopened(place, async (store) => {
        await store.recover(T0);
        const again = await submit(store, source("a"));
        assertEquals(again.already, first.queueId);
        assertEquals(await store.find(again.queueId), undefined);
      });
    },
  );

  test("of two submissions of a source in one batch the first is queued", async (store) => {
    const [first, second] = [1, 2].map(() => ({
      envelope: { ...envelope("4dXyZ12345z1") },
      recipients: [recipient("a@x")],
      content: bytes("x\r\n"),
      queue: "active" as const,
      source: source("a"),
    }));
    const { already, refused } = await store.commit(batch({ added: [first!, second!] }));
    assertEquals(refused.size, 0);
    assertEquals([already.get(first!), already.get(second!)], [undefined, "4dXyZ12345z1"]);
  });

  test("a message that is refused leaves its source to be queued", async (store) => {
    const message = {
      envelope: envelope((await submit(store, source("b"))).queueId),
      recipients: [recipient("a@x")],
      content: bytes("x\r\n"),
      queue: "active" as const,
      source: source("a"),
    };
    assertEquals((await store.commit(batch({ added: [message] }))).refused.size, 1);
    assertEquals(await store.queuedAs("a".repeat(64)), undefined);
  });

  test("a settled source is forgotten with the commit that says so", async (store) => {
    const first = await submit(store, source("a"));
    await submit(store, source("b", ["a", "c"]));
    const again = await submit(store, source("a"));
    assertEquals([again.already, again.queueId === first.queueId], [undefined, false]);
  });

  test("a source is forgotten with a commit that takes nothing in, too", async (store) => {
    await submit(store, source("a"));
    await store.commit(batch({ settled: ["a".repeat(64)] }));
    assertEquals(await store.queuedAs("a".repeat(64)), undefined);
  });

  test("mail that was put off for longer than it may wait is due now, other mail is not", async (store) => {
    const late = await submit(store, source("a"), T0 + 1000);
    const later = await submit(store, source("b"), T0 + 9000);
    assertEquals(await store.hasten("incoming", T0, T0 + 5000), 1);
    const { messages } = await store.due("incoming", T0, 10);
    assertEquals(messages.map((each) => each.envelope.queueId), [later.queueId]);
    assertEquals((await store.find(late.queueId))!.nextTry, T0 + 1000);
  });

  test("any amount of mail that was put off for too long is due now", async (store) => {
    for (let n = 0; n < 1001; n++) {
      await submit(store, { id: `${n}`.padStart(64, "0"), settled: [] }, T0 + 9000);
    }
    assertEquals(await store.hasten("incoming", T0, T0 + 5000), 1001);
    assertEquals(await store.hasten("incoming", T0, T0 + 5000), 0);
  });

  test("sources that nobody settled are forgotten some at a time, and no others", async (store) => {
    const numbered = (n: number) => ({ id: `${n}`.padStart(64, "0"), settled: [] });
    const OLD = 2 * SOURCES_PAGE;
    for (let n = 0; n < OLD; n++) await submit(store, numbered(n), n % 2 ? T0 + 1 : T0);
    const left = async () => {
      const ids = Array.from({ length: OLD }, (_, n) => store.queuedAs(numbered(n).id));
      return (await Promise.all(ids)).filter((id) => id !== undefined).length;
    };
    await store.forget(T0 + SOURCE_AGE_MS);
    assertEquals(await left(), OLD);
    const seen = [];
    for (let run = 0; run < 4; run++) {
      await store.forget(T0 + SOURCE_AGE_MS + 1);
      seen.push(await left());
    }
    assertEquals(seen.at(-1), OLD / 2);
    assertEquals(seen[0], OLD - SOURCES_PAGE / 2);
  });

  test("a source that nobody settled is forgotten at a start long after", async (store) => {
    await submit(store, source("a"));
    await submit(store, source("b"), T0 + 1000);
    await store.recover(T0 + SOURCE_AGE_MS);
    assertEquals(await store.queuedAs("a".repeat(64)) !== undefined, true);
    await store.recover(T0 + SOURCE_AGE_MS + 1);
    assertEquals(await store.queuedAs("a".repeat(64)), undefined);
    assertEquals(await store.queuedAs("b".repeat(64)) !== undefined, true);
  });
}
