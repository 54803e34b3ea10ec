/** What any queue store must do: see `test_stores.ts`. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../errors.ts";
import type { Outcome } from "../mail/envelope.ts";
import type { DeliveryStatus } from "../mail/verify.ts";
import { batch, bytes, eachStore, envelope, recipient, T0 } from "./test_stores.ts";
import type { Kept, QueuedMessage, QueueStore } from "./store.ts";
import { countsOf } from "../../tests/support/queue_counts.ts";

function outcome(n: number, status: DeliveryStatus): Outcome {
  const dsn = { sent: "2.0.0", deferred: "4.2.0", bounced: "5.1.1" }[status];
  return { n, status, dsn, text: `${status} it`, remoteMta: "mx.example", diagnostic: "said so" };
}

async function collect(content: Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content;
  const parts: number[] = [];
  for await (const chunk of content) for (const byte of chunk) parts.push(byte);
  return new Uint8Array(parts);
}

async function* pieces(size: number, piece = 50_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += piece) {
    yield new Uint8Array(Math.min(piece, size - at)).fill(at / piece % 251);
  }
}

async function add(
  store: QueueStore,
  queue: "active" | "incoming" = "incoming",
  recipients = ["a@example.org"],
  content: Kept = bytes("Subject: x\r\n\r\nbody\r\n"),
  arrived = T0,
): Promise<string> {
  const message = envelope(undefined, arrived);
  const list = recipients.map((address) => recipient(address));
  await store.commit(batch({ added: [{ envelope: message, recipients: list, content, queue }] }));
  return message.queueId;
}

function isEqual(one: ArrayLike<number>, other: ArrayLike<number>): boolean {
  return one.length === other.length &&
    Array.prototype.every.call(one, (byte, i) => byte === other[i]);
}

async function queueOf(store: QueueStore, queueId: string): Promise<string | undefined> {
  return (await store.find(queueId))?.queue;
}

const never = new AbortController().signal;
/** More than any store keeps in its main place. */
const LARGE = 700_000;

for (const tools of eachStore()) {
  const { test, reopened } = tools;

  test("what was committed survives a crash, whole", async (store, place) => {
    const message = envelope();
    const recipients = [recipient("a@x", ["NEVER"]), recipient("b@x", ["SUCCESS", "DELAY"])];
    const content = bytes("hello\r\n");
    await store.commit(
      batch({ added: [{ envelope: message, recipients, content, queue: "active" }] }),
    );
    await reopened(place, async (store) => {
      const found = await store.find(message.queueId) as QueuedMessage;
      assertEquals(found.envelope, message);
      assertEquals([found.queue, found.size, found.recipientCount], ["active", 7, 2]);
      assertEquals(await store.recipients(message.queueId, [], 0, 10), [
        { n: 0, state: "todo", outcome: null, ...recipients[0]! },
        { n: 1, state: "todo", outcome: null, ...recipients[1]! },
      ]);
      assertEquals(await collect(await store.content(message.queueId)), content);
    });
  });

  test("a batch is applied in the order add, outcome, report, move, remove", async (store) => {
    const gone = await add(store), moved = await add(store, "active", ["a@x", "b@x"]);
    const fresh = envelope();
    await store.commit(batch({
      added: [{
        envelope: fresh,
        recipients: [recipient("c@x")],
        content: bytes("c"),
        queue: "incoming",
      }],
      outcomes: [
        { queueId: fresh.queueId, outcomes: [outcome(0, "deferred")] },
        { queueId: moved, outcomes: [outcome(0, "bounced"), outcome(1, "deferred")] },
      ],
      reported: [{ queueId: moved, recipients: [0] }],
      moved: [{ queueId: moved, queue: "deferred", nextTry: T0 + 5, warned: true }],
      removed: [gone],
    }));
    assertEquals(await store.find(gone), undefined);
    assertEquals(await store.recipients(gone, [], 0, 10), []);
    const found = (await store.find(moved))!;
    assertEquals([found.queue, found.nextTry, found.warned], ["deferred", T0 + 5, true]);
    assertEquals(
      (await store.recipients(moved, [], 0, 10)).map(({ state }) => state),
      ["done", "deferred"],
    );
    assertEquals((await store.recipients(fresh.queueId, ["deferred"], 0, 10))[0]!.outcome, {
      ...outcome(0, "deferred"),
    });
  });

  test("a queue id that is taken is refused, and the rest of the batch is kept", async (store) => {
    const taken = await add(store);
    const other = envelope();
    const { refused } = await store.commit(batch({
      added: [envelope(taken), other].map((envelope) => ({
        envelope,
        recipients: [recipient("z@x")],
        content: bytes("other"),
        queue: "active" as const,
      })),
    }));
    assertEquals([...refused], [taken]);
    assertEquals((await store.recipients(taken, [], 0, 9))[0]!.address, "a@example.org");
    assertEquals(await queueOf(store, other.queueId), "active");
  });

  test("a final outcome is not overwritten by a later one", async (store) => {
    const queueId = await add(store, "active", ["a@x", "b@x", "c@x"]);
    const first = [outcome(0, "sent"), outcome(1, "bounced"), outcome(2, "deferred")];
    await store.commit(batch({ outcomes: [{ queueId, outcomes: first }] }));
    const second = [0, 1, 2].map((n) => outcome(n, "sent"));
    await store.commit(batch({ outcomes: [{ queueId, outcomes: second }] }));
    assertEquals(await store.tally(queueId), {
      todo: 0,
      deferred: 0,
      bounced: 1,
      sent: 2,
      deliverable: 0,
      undeliverable: 0,
      done: 0,
    });
  });

  test("changes to what is not there do nothing", async (store) => {
    const queueId = envelope().queueId;
    await store.commit(batch({
      outcomes: [{ queueId, outcomes: [outcome(0, "sent")] }],
      reported: [{ queueId, recipients: [3] }],
      moved: [{ queueId, queue: "hold", nextTry: 0 }],
      removed: [queueId],
    }));
    assertEquals(await store.find(queueId), undefined);
  });

  test(
    "large content is taken as a stream and comes back as it was, after a crash too",
    async (store, place) => {
      const message = envelope();
      const content = await store.keep(message.queueId, pieces(LARGE), never);
      assert(!(content instanceof Uint8Array));
      assertEquals(content.size, LARGE);
      await store.commit(
        batch({
          added: [{ envelope: message, recipients: [recipient("a@x")], content, queue: "active" }],
        }),
      );
      const expected = await collect(pieces(LARGE));
      assertEquals(await collect(await store.content(message.queueId)), expected);
      await reopened(place, async (store) => {
        assertEquals(await collect(await store.content(message.queueId)), expected);
      });
    },
  );

  test(
    "large content that was never committed leaves nothing after a crash",
    async (store, place) => {
      const message = envelope();
      await store.keep(message.queueId, pieces(LARGE), never);
      await reopened(place, async (store) => {
        assertEquals(await store.find(message.queueId), undefined);
        // The place is free again.
        const content = await store.keep(message.queueId, pieces(LARGE), never);
        assertEquals(content instanceof Uint8Array, false);
      });
    },
  );

  test("small content that comes as a stream is handed back", async (store) => {
    const content = await store.keep(envelope().queueId, pieces(100_000, 999), never);
    assertEquals(content, await collect(pieces(100_000, 999)));
  });

  for (const size of [1000, LARGE]) {
    test(`a stream that fails after ${size} bytes leaves nothing`, async (store) => {
      const { queueId } = envelope();
      async function* failing() {
        yield* pieces(size);
        throw new Error("lost connection");
      }
      await assertRejects(() => store.keep(queueId, failing(), never), Error, "lost connection");
      await store.keep(queueId, pieces(LARGE), never);
    });

    test(`a sender that gives up after ${size} bytes leaves nothing`, async (store) => {
      const { queueId } = envelope();
      const gone = AbortSignal.abort();
      await assertRejects(() => store.keep(queueId, pieces(size), gone), StorageError);
      await store.keep(queueId, pieces(LARGE), never);
    });
  }

  for (const size of [0, 100, LARGE]) {
    test(
      `a head of its own comes before ${size} spooled bytes, also after a crash`,
      async (store, place) => {
        const message = envelope(), { queueId } = message, head = bytes("Subject: x\r\n\r\n");
        const content = await store.spool(queueId, pieces(size), never);
        assertEquals(content.size, size);
        const recipients = [recipient("a@x")];
        await store.commit(
          batch({ added: [{ envelope: message, recipients, head, content, queue: "incoming" }] }),
        );
        const whole = [...head, ...await collect(pieces(size))];
        await reopened(place, async (store) => {
          assertEquals((await store.find(queueId))?.size, whole.length);
          // Twice: for another server, or another attempt.
          for (let n = 0; n < 2; n++) {
            assert(isEqual(await collect(await store.content(queueId)), whole));
          }
          assertEquals(await store.remove([queueId]), 1);
          await store.spool(queueId, pieces(size), never);
        });
      },
    );
  }

  test("a sender of spooled content that gives up leaves nothing", async (store) => {
    const { queueId } = envelope(), gone = AbortSignal.abort();
    await assertRejects(() => store.spool(queueId, pieces(100), gone), StorageError);
    await store.spool(queueId, pieces(100), never);
  });

  test("discarded content leaves its place free", async (store) => {
    const { queueId } = envelope();
    await store.discard(await store.keep(queueId, pieces(LARGE), never));
    await store.keep(queueId, pieces(LARGE), never);
  });

  test("two large contents of one queue id do not mix", async (store) => {
    const { queueId } = envelope();
    await store.keep(queueId, pieces(LARGE), never);
    await assertRejects(() => store.keep(queueId, pieces(LARGE), never), StorageError);
  });

  test("many large contents at a time are all kept", async (store) => {
    const ids = Array.from({ length: 12 }, () => envelope().queueId);
    const kept = await Promise.all(ids.map((id) => store.keep(id, pieces(300_000), never)));
    assertEquals(kept.map((each) => "size" in each && each.size), ids.map(() => 300_000));
  });

  test("due messages come in pages, earliest first, each once", async (store) => {
    const ids: string[] = [];
    for (let i = 0; i < 25; i++) {
      ids.push(await add(store, "incoming", ["a@x"], bytes("x"), T0 + Math.floor(i / 3)));
    }
    const late = await add(store, "incoming", ["a@x"], bytes("x"), T0 + 1000);
    const seen: string[] = [];
    let after: unknown, pages = 0;
    do {
      const page = await store.due("incoming", T0 + 999, 10, after);
      seen.push(...page.messages.map(({ envelope }) => envelope.queueId));
      after = page.next;
      pages++;
    } while (after !== undefined);
    assertEquals(seen, ids);
    assertEquals(pages, 3);
    assertEquals((await store.due("deferred", T0 + 9999, 10)).messages, []);
    assert(!seen.includes(late));
  });

  test("what was active when its owner died is incoming, due when asked", async (store, place) => {
    const active = await add(store, "active"), deferred = await add(store);
    await store.commit(batch({ moved: [{ queueId: deferred, queue: "deferred", nextTry: T0 }] }));
    await reopened(place, async (store) => {
      assertEquals(await store.recover(T0 + 77), 1);
      assertEquals((await store.due("incoming", T0 + 76, 10)).messages.length, 0);
      const { messages } = await store.due("incoming", T0 + 77, 10);
      assertEquals(messages.map(({ envelope }) => envelope.queueId), [active]);
      assertEquals(await queueOf(store, deferred), "deferred");
    });
  });

  test("recipients are read from a number on, by state, no more than asked for", async (store) => {
    const names = Array.from({ length: 10 }, (_, i) => `r${i}@x`);
    const queueId = await add(store, "active", names);
    const outcomes = [1, 3, 5].map((n) => outcome(n, "bounced"));
    await store.commit(batch({ outcomes: [{ queueId, outcomes }] }));
    const numbers = async (...query: [("todo" | "bounced")[], number, number]) =>
      (await store.recipients(queueId, ...query)).map(({ n }) => n);
    assertEquals(await numbers(["todo"], 0, 3), [0, 2, 4]);
    assertEquals(await numbers(["todo"], 5, 9), [6, 7, 8, 9]);
    assertEquals(await numbers(["bounced"], 2, 9), [3, 5]);
    assertEquals(await numbers([], 8, 9), [8, 9]);
  });

  test("operators' commands change the queues that they concern, and no active message", async (store) => {
    const active = await add(store, "active");
    const [incoming, deferred, held] = [await add(store), await add(store), await add(store)];
    await store.commit(batch({
      moved: [
        { queueId: deferred, queue: "deferred", nextTry: T0 },
        { queueId: held, queue: "hold", nextTry: T0 },
      ],
    }));
    const queues = () =>
      Promise.all([active, incoming, deferred, held].map((each) => queueOf(store, each)));
    assertEquals(await store.retry("ALL"), 1);
    assertEquals(await queues(), ["active", "incoming", "incoming", "hold"]);
    assertEquals(await store.hold([active, incoming, "no such id"]), 1);
    assertEquals(await queues(), ["active", "hold", "incoming", "hold"]);
    assertEquals(await store.release("ALL"), 2);
    assertEquals(await store.hold("ALL"), 3);
    assertEquals(await store.requeue([held]), 1);
    assertEquals(await queues(), ["active", "hold", "hold", "incoming"]);
    assertEquals(await store.remove("ALL"), 3);
    assertEquals(await queues(), ["active", undefined, undefined, undefined]);
    assertEquals(await countsOf(store), {
      incoming: 0,
      active: 1,
      deferred: 0,
      hold: 0,
      corrupt: 0,
    });
  });

  test("mail for one site is found by its open recipients", async (store) => {
    const both = await add(store, "active", ["a@Site.example", "b@other.example"]);
    const other = await add(store, "active", ["b@other.example"]);
    await store.commit(batch({
      moved: [both, other].map((queueId) => ({ queueId, queue: "deferred", nextTry: T0 + 99 })),
    }));
    assertEquals(await store.retry("ALL", "SITE.example"), 1);
    assertEquals([await queueOf(store, both), await queueOf(store, other)], [
      "incoming",
      "deferred",
    ]);
    await store.commit(batch({
      outcomes: [{ queueId: both, outcomes: [outcome(0, "sent")] }],
      moved: [{ queueId: both, queue: "deferred", nextTry: T0 + 99 }],
    }));
    assertEquals(await store.retry("ALL", "site.example"), 0);
  });

  test("the listing has every message and the recipients that are not finished", async (store) => {
    const queueId = await add(store, "active", ["a@x", "orig-b", "c@x", "d@x"]);
    const outcomes = [outcome(0, "sent"), outcome(2, "deferred"), outcome(3, "bounced")];
    await store.commit(batch({ outcomes: [{ queueId, outcomes }] }));
    const listed = [];
    for await (const each of store.list()) listed.push(each);
    assertEquals(listed, [{
      queue_name: "active",
      queue_id: queueId,
      arrival_time: T0 / 1000,
      message_size: 20,
      forced_expire: false,
      sender: "sender@example.com",
      recipients: [
        { address: "orig-b", orig_address: "orig-orig-b" },
        { address: "c@x", orig_address: "orig-c@x", delay_reason: "deferred it" },
        { address: "d@x", orig_address: "orig-d@x", bounce_reason: "bounced it" },
      ],
    }]);
  });

  test("any addresses and any bytes come back as they were", async (store) => {
    const text = fc.string({ unit: "grapheme", maxLength: 40 }).filter((each) =>
      // deno-lint-ignore no-control-regex
      !/[\u0000-\u001f\u007f]/.test(each) && each.isWellFormed()
    );
    await fc.assert(
      fc.asyncProperty(text, fc.uint8Array({ maxLength: 300 }), async (address, content) => {
        const message = { ...envelope(), sender: address };
        const recipients = [recipient(address)];
        await store.commit(
          batch({ added: [{ envelope: message, recipients, content, queue: "active" }] }),
        );
        assertEquals((await store.find(message.queueId))!.envelope, message);
        const [stored] = await store.recipients(message.queueId, [], 0, 1);
        assertEquals(stored!.address, address);
        assertEquals(await collect(await store.content(message.queueId)), new Uint8Array(content));
      }),
      { numRuns: 50 },
    );
  });
}
