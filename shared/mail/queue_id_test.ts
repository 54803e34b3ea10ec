import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { QUEUE_ID, queueIdOf, queueIdSource } from "./queue_id.ts";

/** Microseconds are whole numbers up to then; no clock is so wrong. */
const YEAR_2255 = 9_000_000_000_000;

Deno.test("queue ids are unique and well-formed, also while the clock goes back", () =>
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 1, max: YEAR_2255 }), { minLength: 2, maxLength: 50 }),
    fc.integer({ min: 0, max: 2 ** 40 - 1 }),
    (times, process) => {
      let n = 0;
      const next = queueIdSource(() => times[n++ % times.length]!, process);
      const ids = times.map(() => next());
      for (const id of ids) assertMatch(id, QUEUE_ID);
      assertEquals(new Set(ids).size, ids.length);
      assertEquals(ids.toSorted((a, b) => a < b ? -1 : 1), ids);
    },
  )));

Deno.test("queueIdOf() gives a well-formed id of its time and number, and of these alone", () =>
  fc.assert(fc.property(
    fc.maxSafeNat().map((value) => value % 16e15),
    fc.nat(),
    fc.nat(),
    (microseconds, one, other) => {
      assertMatch(queueIdOf(microseconds, one), QUEUE_ID);
      const same = queueIdOf(microseconds, one) === queueIdOf(microseconds, other);
      assertEquals(same, one === other);
    },
  )));

Deno.test("no text but a queue id looks like one", () => {
  for (
    const id of [
      "",
      "__proto__",
      "../4dXyZ12345z1",
      "4dXyZ12345z1\n",
      "4dXyZ12345z1 ",
      "A".repeat(40),
    ]
  ) {
    assert(!QUEUE_ID.test(id), id);
  }
});
