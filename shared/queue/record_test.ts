import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Check } from "typebox/schema";
import { Envelope, Outcome, Recipient } from "../mail/envelope.ts";
import { testEnvelope } from "../../tests/support/envelope.ts";
import { attempt, near } from "../../tests/support/hostile.ts";
import { messageOf, type MessageRow, recipientOf, type RecipientRow } from "./record.ts";
import { DamagedRecord } from "./store.ts";

const envelope = testEnvelope();
const message: MessageRow = {
  id: 1,
  queue_id: envelope.queueId,
  queue: "incoming",
  next_try: 0,
  warned: 0,
  size: 1,
  recipients: 1,
  place: "database",
  envelope: JSON.stringify(envelope),
};
const recipient: RecipientRow = {
  n: 0,
  state: "todo",
  address: "a@b.test",
  original: "",
  orcpt: "",
  notify: "",
  outcome: null,
};
const json = near(
  '{"queueId":"A"}',
  "{",
  "}",
  "[]",
  '"__proto__":',
  ",",
  '"',
  "1",
  message.envelope,
);

Deno.test("messageOf() has the envelope that was written, or DamagedRecord, for any text on the disk", () => {
  fc.assert(fc.property(json, (text) => {
    const found = attempt(() => messageOf({ ...message, envelope: text }), DamagedRecord);
    assert(!found || Check(Envelope, found.envelope));
  }));
  assertEquals(messageOf(message).envelope, envelope);
  assertThrows(() => messageOf({ ...message, queue_id: "4jWb0l24cGzJDLg" }), DamagedRecord);
});

Deno.test("recipientOf() has a recipient as declared, or DamagedRecord, for any text on the disk", () => {
  const text = near("a@b.test", "NEVER", "SUCCESS", ",", "DELAY", "rfc822;", " ", "x".repeat(2000));
  const row = fc.record({
    address: text,
    original: text,
    orcpt: text,
    notify: text,
    outcome: fc.option(json),
  });
  fc.assert(fc.property(row, (changed) => {
    const found = attempt(() => recipientOf("A", { ...recipient, ...changed }), DamagedRecord);
    if (!found) return;
    const { address, original, orcpt, notify } = found;
    assert(Check(Recipient, { address, original, orcpt, notify }));
    assert(found.outcome === null || Check(Outcome, found.outcome));
    assertEquals(notify.join(), changed.notify);
  }));
  assertEquals(recipientOf("A", { ...recipient, notify: "SUCCESS,DELAY" }).notify, [
    "SUCCESS",
    "DELAY",
  ]);
});

Deno.test("prototype names for what to report are damage, not values", () => {
  for (const notify of ["constructor", "__proto__", "NEVER,toString"]) {
    assertThrows(() => recipientOf("A", { ...recipient, notify }), DamagedRecord);
  }
});
