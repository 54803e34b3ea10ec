/** What a short message to a large alias may take: of lookups, of time in one piece, of memory. */

import { assert, assertEquals } from "@std/assert";
import { Budget, Share } from "../../shared/budget.ts";
import type { Lookup } from "../../shared/rewrite_cache.ts";
import { RecipientRules } from "./recipients.ts";
import { parameters, QUEUE_ID, RECEIVED, recipient, type Scene, scene } from "./test_scene.ts";

const MAPS = { virtual_alias_maps: "texthash:/virtual" };
const QUEUED = { queued: true, code: 250, dsn: "2.0.0", text: "Ok" };
const NONE: Lookup = { value: null, fail: false };
const MEMBERS = Array.from({ length: 999 }, (_, i) => `m${i}@x.org`).join(", ");
const LIST: Lookup = { value: MEMBERS, fail: false };

/** A list with 999 members at `list@`, in any case and with any extension, and the addresses that were asked for. */
function largeList(answer: (found: Lookup) => Lookup | Promise<Lookup> = (found) => found) {
  const asked: string[] = [];
  const crowd = scene(
    MAPS,
    ((address: string) => {
      asked.push(address);
      const isList = /^list(\+.*)?@/i.test(address);
      return answer(isList ? LIST : NONE);
    }) as (address: string) => Lookup,
  );
  return { ...crowd, asked };
}

/** Submits a message to a thousand recipients. */
function submitTo(crowd: Scene, address: (n: number) => string) {
  const recipients = Array.from({ length: 1000 }, (_, n) => recipient(address(n)));
  return crowd.submit(`${RECEIVED}\r\n`, { recipients });
}

Deno.test("submit() expands a list that is named a thousand times once", async () => {
  const list = largeList();
  assertEquals(await submitTo(list, () => "list@example.com"), QUEUED);
  assertEquals([list.queue[0]!.recipients.length, list.asked.length], [999, 1000]);
});

Deno.test("submit() asks for an address that is in many lists once", async () => {
  const list = largeList((found) => Promise.resolve(found));
  const recipients = ["list@a.org", "list@b.org", "list@c.org", "m1@x.org"].map((address) =>
    recipient(address)
  );
  assertEquals(await list.submit(`${RECEIVED}\r\n`, { recipients }), QUEUED);
  assertEquals(list.queue[0]!.recipients.length, 3 * 999 + 1);
  const [first, ...others] = list.asked.filter((address) => address !== "m1@x.org");
  assertEquals(new Set([first, ...others]).size, others.length + 1);
  // Once as a recipient, once as a member.
  assertEquals(list.asked.length, others.length + 1 + 2);
});

Deno.test("submit() asks for ordinary recipients all at once", async () => {
  let ask = () => {};
  const all = new Promise<void>((resolve) => (ask = resolve));
  let asked = 0;
  const crowd = scene(
    MAPS,
    (async () => {
      if (++asked === 20) ask();
      await all;
      return NONE;
    }) as unknown as () => Lookup,
  );
  const recipients = Array.from({ length: 20 }, (_, n) => recipient(`u${n}@x.org`));
  assertEquals(await crowd.submit(`${RECEIVED}\r\n`, { recipients }), QUEUED);
  assertEquals(crowd.queue[0]!.recipients.at(-1), "u19@x.org");
});

Deno.test("submit() keeps a list that is written in a thousand ways, and the order of recipients", async () => {
  const list = largeList();
  const written = (n: number) =>
    [..."listexampl"].map((char, bit) => n >> bit & 1 ? char.toUpperCase() : char).join("")
      .replace(/^(....)(.*)/, "$1@$2");
  assertEquals(await submitTo(list, written), QUEUED);
  assertEquals(list.queue[0]!.recipients, MEMBERS.split(", "));
});

Deno.test("treat() reads a list that has many names once", async () => {
  let rewritten = 0;
  const rules = new RecipientRules(parameters(MAPS), {
    rewrite: (_context, address) => {
      rewritten++;
      return address;
    },
    lookup: (_parameter, address) => address.startsWith("list") ? LIST : NONE,
  });
  const names = Array.from({ length: 40 }, (_, n) => recipient(`list+${n}@example.com`));
  const share = new Share(new Budget("recipients", 100_000_000, 0));
  const treated = await rules.treat(QUEUE_ID, names, share);
  assert("recipients" in treated);
  assertEquals([treated.recipients.length, rewritten], [40 * 999, 40 + 999]);
});

Deno.test("submit() stops at the first recipients that are too many", async () => {
  const list = largeList();
  const reply = await submitTo(list, (n) => `list+${n}@example.com`);
  assertEquals([reply.code, reply.dsn, list.queue.length], [451, "4.6.0", 0]);
  const lists = list.asked.filter((address) => address.startsWith("list"));
  assert(lists.length <= 100, `${lists.length} lists asked for`);
  assertEquals(list.cleanup.budget.taken, 0);
});

Deno.test("submit() stops at the first recipients that there is no room for", async () => {
  const list = largeList(), { budget } = list.cleanup;
  budget.take(budget.bytes - 1_000_000);
  const reply = await submitTo(list, (n) => `list+${n}@example.com`);
  assertEquals([reply.code, reply.crowded, list.queue.length], [452, true, 0]);
  const lists = list.asked.filter((address) => address.startsWith("list"));
  assert(lists.length <= 100, `${lists.length} lists asked for`);
  assertEquals(budget.taken, budget.bytes - 1_000_000);
});

Deno.test("submit() lets other messages go on while it expands a list many times", async () => {
  const list = largeList();
  let turns = 0, expanding = true;
  const turn = () => {
    turns++;
    if (expanding) setImmediate(turn);
  };
  const submitted = submitTo(list, (n) => n < 40 ? `list+${n}@example.com` : "list@example.com");
  setImmediate(turn);
  assertEquals(await submitted, QUEUED);
  expanding = false;
  assertEquals(list.queue[0]!.recipients.length, 41 * 999);
  assert(turns >= 10, `${turns} turns`);
});
