/** Who hears of what: reports of failures, of deliveries and of delays. */

import { assert, assertEquals } from "@std/assert";
import { CallError } from "../../shared/ipc/failure.ts";
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

let failures = 0;
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

const refusedParts: number[] = [];
test("very many recipients are reported in parts, and no part twice", {
  agent: (request) => all(request, bounced),
  bounce: ({ recipients }) => {
    if (recipients[0]!.outcome.n !== 1000 || refusedParts.push(1000) > 1) {
      return Promise.resolve("4dXyZ12345z1");
    }
    return Promise.reject(new CallError("unavailable", "x"));
  },
}, async (world) => {
  const queueId = await world.enqueue(Array.from({ length: 2500 }, (_, n) => `a${n}@x`));
  await world.untilIn(queueId, "deferred");
  const [{ source }] = world.reports as [typeof world.reports[0]];
  await world.flush.call("flush", { id: queueId, site: "" });
  await world.untilEmpty();
  assertEquals(world.reports.map(({ recipients }) => recipients.length), [1000, 1000, 1000, 500]);
  // The first part was asked for again, and is known by its source.
  assertEquals(world.reports[1]!.source, source);
  assertEquals(new Set(world.reports.map((each) => each.source)).size, 3);
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
