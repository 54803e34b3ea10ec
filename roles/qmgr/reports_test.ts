/** Who hears of what: reports of failures, of deliveries and of delays. */

import { assert, assertEquals } from "@std/assert";
import { CallError } from "../../shared/ipc/failure.ts";
import { StorageError } from "../../shared/errors.ts";
import { madeSources } from "../../shared/protocols/bounce.ts";
import type { SqliteStore } from "../../shared/queue/sqlite_store.ts";
import { all, bounced, deferred, resolvedTo, sent, test } from "./test_world.ts";

test("failed recipients are reported, and the message removed when nothing is left", {
  agent: (request) => all(request, (n) => n === 0 ? sent(n) : bounced(n)),
}, async (world) => {
  const queueId = await world.enqueue(["a@x", "b@x"]);
  await world.untilEmpty();
  const [{ kind, recipients, size, retryUntil }] = world.reports as [typeof world.reports[0]];
  assertEquals([kind, size, retryUntil], ["failure", 21, 0]);
  assertEquals(recipients, [
    { address: "b@x", original: "b@x", orcpt: "", notify: [], outcome: bounced(1) },
  ]);
  assertEquals(world.lines(queueId).at(-1), "removed");
});

/** A store that cannot read content when it is asked for the nth time. */
function unreadable(store: SqliteStore, nth: number): SqliteStore {
  const content = store.content.bind(store);
  let asked = 0;
  store.content = (queueId) =>
    ++asked === nth ? Promise.reject(new StorageError("disk I/O error")) : content(queueId);
  return store;
}

let failures = 0, delayed = 0;
test("a report that cannot be made is made later, and nothing is delivered twice", {
  agent: (request) => all(request, bounced),
  bounce: () =>
    --failures >= 0
      ? Promise.reject(new CallError("unavailable", "x"))
      : Promise.resolve("4dXyZ12345z1"),
}, async (world) => {
  failures = 1;
  const queueId = await world.enqueue(["a@x"]);
  await world.untilIn(queueId, "deferred");
  assertEquals(world.reports.length, 0);
  await world.flush.call("flush", { id: queueId, site: "" });
  await world.untilEmpty();
  assertEquals([world.reports.length, world.requests.length], [1, 1]);
});

/** Reports in parts: bounce fails for the second of them once, and the first recipient fails only at the second attempt. */
for (const [what, late] of [["", bounced], [", though one more has failed", deferred]] as const) {
  let attempts = 0, refused = 0;
  test(`very many recipients are reported in parts, and nobody twice${what}`, {
    agent: (request) => all(request, (n) => n === 0 && attempts++ === 0 ? late(n) : bounced(n)),
    bounce: () =>
      ++refused === 2
        ? Promise.reject(new CallError("unavailable", "x"))
        : Promise.resolve("4dXyZ12345z1"),
  }, async (world) => {
    const queueId = await world.enqueue(Array.from({ length: 1251 }, (_, n) => `a${n}@x`));
    await world.untilIn(queueId, "deferred");
    const { done } = (await world.store.tally(queueId))!;
    assertEquals([world.reports.length, done], [1, 500]);
    await world.flush.call("flush", { id: queueId, site: "" });
    await world.untilEmpty();
    assertEquals(world.reports.map(({ recipients }) => recipients.length), [500, 500, 251]);
    const told = world.reports.flatMap(({ recipients }) =>
      recipients.map(({ outcome }) => outcome.n)
    );
    assertEquals(new Set(told).size, 1251);
    assertEquals(new Set(world.reports.map(({ source }) => source)).size, 3);
  });
}

let settling: readonly string[] = [];
test("recipients of whom a report does not tell are in the next one", {
  agent: (request) => all(request, bounced),
  bounce: ({ recipients: { length } }) =>
    Promise.resolve({ queueId: "4dXyZ12345z1", told: Math.min(2, length) }),
  around: (store) => {
    const commit = store.commit.bind(store);
    store.commit = (batch) => (settling = batch.settled ?? [], commit(batch));
    return store;
  },
}, async (world) => {
  await world.enqueue(["a@x", "b@x", "c@x", "d@x", "e@x"]);
  await world.untilEmpty();
  const reports = world.reports.map(({ recipients }) => recipients.map(({ outcome }) => outcome.n));
  assertEquals(reports, [[0, 1, 2, 3, 4], [2, 3, 4], [4]]);
  // By the names that the reports and their copies have.
  const made = world.reports.map(({ source, recipients: { length } }) =>
    madeSources(source!, Math.min(2, length), length)
  );
  assertEquals(settling, made.flatMap(({ report, copy }) => [report, copy]));
});

let lies = 0;
test("a bounce that says it told of more recipients than it was asked to is asked again", {
  agent: (request) => all(request, bounced),
  bounce: ({ recipients: { length } }) =>
    Promise.resolve({ queueId: "4dXyZ12345z1", told: lies++ ? length : 50_000 }),
}, async (world) => {
  const queueId = await world.enqueue(Array.from({ length: 501 }, (_, n) => `a${n}@x`));
  await world.untilIn(queueId, "deferred");
  assertEquals((await world.store.tally(queueId)).done, 0);
  await world.flush.call("flush", { id: queueId, site: "" });
  await world.untilEmpty();
  assertEquals(world.reports.map(({ recipients }) => recipients.length), [500, 500, 1]);
});

test("a report of a delay in parts is known by its sources until all of it is made", {
  params: { delayWarningTime: 3600 },
  agent: (request) => all(request, deferred),
  bounce: ({ recipients }) =>
    recipients.length < 500 && delayed++ === 0
      ? Promise.reject(new CallError("unavailable", "x"))
      : Promise.resolve("4dXyZ12345z1"),
}, async (world) => {
  const addresses = Array.from({ length: 750 }, (_, n) => `a${n}@x`);
  const queueId = await world.enqueue(addresses, { arrived: Date.now() - 7_200_000 });
  await world.untilIn(queueId, "deferred");
  assertEquals((await world.store.find(queueId))!.warned, false);
  await world.flush.call("flush", { id: queueId, site: "" });
  await world.until(async () => Boolean((await world.store.find(queueId))?.warned));
  const [first, again] = world.reports;
  assertEquals(world.reports.map(({ recipients }) => recipients.length), [500, 500, 250]);
  assertEquals(again!.source, first!.source);
});

test("parts of a report that were made count when the message cannot be read for the rest", {
  agent: (request) => all(request, bounced),
  around: (store) => unreadable(store, 2),
}, async (world) => {
  const queueId = await world.enqueue(Array.from({ length: 750 }, (_, n) => `a${n}@x`));
  await world.untilIn(queueId, "deferred");
  await world.flush.call("flush", { id: queueId, site: "" });
  await world.untilEmpty();
  assertEquals(world.reports.map(({ recipients }) => recipients.length), [500, 250]);
});

for (
  const [what, notify, agent, kinds] of [
    ["NEVER hears of nothing", ["NEVER"], bounced, []],
    ["FAILURE hears of a failure", ["FAILURE"], bounced, ["failure"]],
    ["DELAY does not hear of a failure", ["DELAY"], bounced, []],
    ["SUCCESS hears of a delivery", ["SUCCESS"], sent, ["success"]],
    ["SUCCESS does not hear of a failure", ["SUCCESS"], bounced, []],
    ["SUCCESS and FAILURE hear of a failure", ["SUCCESS", "FAILURE"], bounced, ["failure"]],
    ["no NOTIFY does not hear of a delivery", [], sent, []],
    [
      "SUCCESS hears nothing where the next server reports",
      ["SUCCESS"],
      (n: number) => ({ ...sent(n), success: "passed" as const }),
      [],
    ],
  ] as const
) {
  test(`a sender with NOTIFY: ${what}`, { agent: (r) => all(r, agent) }, async (world) => {
    await world.enqueue(["a@x"], { notify: [...notify] });
    await world.untilEmpty();
    assertEquals(world.reports.map(({ kind }) => kind), [...kinds]);
  });
}

const ALIAS = { address: "list@x", original: "list@x", orcpt: "", notify: ["SUCCESS" as const] };
/** What is said of it. */
const EXPANDED = {
  ...sent(1),
  text: "alias expanded",
  remoteMta: "",
  success: "expanded" as const,
};

test("that an alias was expanded is told once, however often its members are tried", {
  agent: (request) => all(request, deferred),
}, async (world) => {
  const queueId = await world.enqueue(["a@x"], { notify: ["NEVER"], expanded: [ALIAS] });
  await world.untilIn(queueId, "deferred");
  await world.flush.call("flush", { id: queueId, site: "" });
  await world.until(() => world.requests.length === 2);
  await world.untilIn(queueId, "deferred");
  assertEquals(
    world.reports.map(({ kind, recipients }) => [kind, recipients]),
    [["success", [{ ...ALIAS, outcome: EXPANDED }]]],
  );
  assertEquals(world.requests.map(({ recipients }) => recipients.map(({ n }) => n)), [[0], [0]]);
  const active = world.lines(queueId).find((line) => line.includes("nrcpt="))!;
  assert(active.includes("nrcpt=1 (queue active)"), active);
});

let unheard = true;
test("that an alias was expanded is told later where bounce does not answer", {
  agent: (request) => all(request, sent),
  bounce: () => {
    if (!unheard) return Promise.resolve("4dXyZ12345z1");
    unheard = false;
    return Promise.reject(new CallError("unavailable", "x"));
  },
}, async (world) => {
  const queueId = await world.enqueue(["a@x"], { notify: ["NEVER"], expanded: [ALIAS] });
  await world.untilIn(queueId, "deferred");
  await world.flush.call("flush", { id: queueId, site: "" });
  await world.untilEmpty();
  const told = world.reports.map(({ recipients }) => recipients.map(({ address }) => address));
  assertEquals([told, world.requests.length], [[["list@x"]], 1]);
});

test("the failure of a notification is told to nobody", {
  params: { myorigin: "mail.example" },
  agent: (request) => all(request, bounced),
}, async (world) => {
  const queueId = await world.enqueue(["a@x"], { sender: "double-bounce@mail.example" });
  await world.untilEmpty();
  assertEquals([world.reports.length, world.lines(queueId).at(-1)], [0, "removed"]);
  const text = `warning: ${queueId}: undeliverable postmaster notification discarded`;
  assertEquals(world.log.includes(text), true);
});

test("somebody elsewhere by the name of our notifications is told of a failure", {
  params: { myorigin: "mail.example" },
  agent: (request) => all(request, bounced),
}, async (world) => {
  await world.enqueue(["a@x"], { sender: "double-bounce@elsewhere.example" });
  await world.untilEmpty();
  assertEquals(world.reports.map(({ kind }) => kind), ["failure"]);
});

test("mail to double-bounce here is discarded", {
  resolve: (address) => ({ ...resolvedTo("local", "here", address), class: "local" }),
}, async (world) => {
  const queueId = await world.enqueue(["double-bounce@here"], { sender: "" });
  await world.untilEmpty();
  assertEquals(world.requests.length, 0);
  assertEquals(
    world.lines(queueId)[1],
    "to=<double-bounce@here>, relay=none, delay=D, dsn=2.0.0, status=sent " +
      "(undeliverable postmaster notification discarded)",
  );
  assertEquals(world.programs.has(queueId), false);
});

test("no success is reported of mail to double-bounce here", {
  resolve: (address) => ({ ...resolvedTo("local", "here", address), class: "local" }),
}, async (world) => {
  await world.enqueue(["double-bounce@here"], { notify: ["SUCCESS"] });
  await world.untilEmpty();
  assertEquals(world.reports, []);
});

test("mail that has been tried for too long is returned, in one report", {
  agent: (request) => all(request, (n) => n ? deferred(n) : bounced(n)),
}, async (world) => {
  const arrived = Date.now() - 5 * 86_400_000;
  const queueId = await world.enqueue(["a@x", "b@x"], { arrived });
  await world.untilEmpty();
  assert(
    world.lines(queueId).includes("from=<sender@example.com>, status=expired, returned to sender"),
  );
  assertEquals(
    world.reports.map(({ kind, recipients }) => [kind, recipients.map(({ address }) => address)]),
    [["failure", ["a@x", "b@x"]]],
  );
});

test("the sender is warned of a delay once", {
  params: { delayWarningTime: 3600 },
  agent: (request) => all(request, deferred),
}, async (world) => {
  const arrived = Date.now() - 7_200_000;
  const queueId = await world.enqueue(["a@x"], { arrived });
  await world.untilIn(queueId, "deferred");
  assertEquals((await world.store.find(queueId))!.warned, true);
  await world.flush.call("flush", { id: "", site: "" });
  await world.until(() => world.requests.length === 2);
  await world.untilIn(queueId, "deferred");
  assertEquals(world.reports.map(({ kind, retryUntil }) => [kind, retryUntil]), [
    ["delay", arrived + 5 * 86_400_000],
  ]);
});
