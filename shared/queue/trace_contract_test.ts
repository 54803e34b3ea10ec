/** What any queue store must do for mail on which its sender asked for a report: see `test_stores.ts`. */

import { assertEquals } from "@std/assert";
import type { Outcome } from "../mail/envelope.ts";
import { batch, bytes, eachStore, envelope, recipient, T0 } from "./test_stores.ts";

function outcome(n: number, status: Outcome["status"]): Outcome {
  return { n, status, dsn: "2.0.0", text: "said so", remoteMta: "", diagnostic: "" };
}

for (const tools of eachStore()) {
  const { test, reopened } = tools;

  test(
    "what the sender was told of is kept apart, and once told stays told",
    async (store, place) => {
      const message = { ...envelope(), trace: "deliver" as const }, { queueId } = message;
      await store.commit(
        batch({
          added: [{
            envelope: message,
            recipients: [recipient("a@x")],
            content: bytes("x"),
            queue: "active",
          }],
        }),
      );
      const move = { queueId, queue: "deferred" as const, nextTry: T0 };
      const told = async () => {
        const { warned, traced } = (await store.find(queueId))!;
        return [warned, traced];
      };
      assertEquals(await told(), [false, false]);
      await store.commit(batch({ moved: [{ ...move, traced: true }] }));
      assertEquals(await told(), [false, true]);
      await store.commit(batch({ moved: [{ ...move, warned: true }] }));
      assertEquals(await told(), [true, true]);
      await store.commit(batch({ moved: [move] }));
      await reopened(place, async (store) => {
        const { warned, traced } = (await store.find(queueId))!;
        assertEquals([warned, traced], [true, true]);
      });
    },
  );

  test(
    "recipients that were verified are final, kept over a crash, and listed",
    async (store, place) => {
      const message = { ...envelope(), trace: "verify" as const }, { queueId } = message;
      const recipients = [recipient("a@x"), recipient("b@x")];
      await store.commit(
        batch({ added: [{ envelope: message, recipients, content: bytes("x"), queue: "active" }] }),
      );
      const outcomes = [outcome(0, "deliverable"), outcome(1, "undeliverable")]
        .map((each) => ({ ...each, relay: "mx[192.0.2.1]:25" }));
      await store.commit(batch({ outcomes: [{ queueId, outcomes }] }));
      const later = [outcome(0, "undeliverable"), outcome(1, "sent")];
      await store.commit(batch({ outcomes: [{ queueId, outcomes: later }] }));
      await reopened(place, async (store) => {
        assertEquals((await store.find(queueId))!.envelope, message);
        const found = await store.recipients(queueId, [], 0, 10);
        assertEquals(found.map(({ state, outcome }) => [state, outcome]), [
          ["deliverable", outcomes[0]!],
          ["undeliverable", outcomes[1]!],
        ]);
        const { todo, deferred, deliverable, undeliverable } = await store.tally(queueId);
        assertEquals([todo, deferred, deliverable, undeliverable], [0, 0, 1, 1]);
        const listed = [];
        for await (const each of store.list()) listed.push(each.recipients.map((r) => r.address));
        assertEquals(listed, [["a@x", "b@x"]]);
      });
    },
  );

  test(
    "aliases that were expanded are sent, numbered behind the recipients, until they are told",
    async (store, place) => {
      const message = envelope(), { queueId } = message;
      const recipients = [recipient("a@x"), recipient("b@x")], expanded = [recipient("list@x")];
      await store.commit(
        batch({
          added: [{
            envelope: message,
            recipients,
            expanded,
            content: bytes("x"),
            queue: "active",
          }],
        }),
      );
      await reopened(place, async (store) => {
        assertEquals((await store.find(queueId))!.recipientCount, 2);
        const [alias, ...others] = await store.recipients(queueId, ["sent"], 0, 10);
        const told = {
          ...outcome(2, "sent"),
          text: "alias expanded",
          success: "expanded" as const,
        };
        assertEquals(alias, { ...recipient("list@x"), n: 2, state: "sent", outcome: told });
        assertEquals(others, []);
        await store.commit(batch({ reported: [{ queueId, recipients: [2] }] }));
        const { todo, sent, done } = await store.tally(queueId);
        assertEquals([todo, sent, done], [2, 0, 1]);
      });
    },
  );
}
