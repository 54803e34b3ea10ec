/** A message's way through a whole qmgr. Agents, rewrite and bounce are stubs, the store and the sockets are real. */

import { assert, assertEquals } from "@std/assert";
import { BugError } from "../../shared/errors.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import type { DeliveryReply, DeliveryRequest } from "../../shared/protocols/delivery.ts";
import { all, deferred, gated, resolvedTo, sent, test } from "./test_world.ts";
import { pause } from "../../tests/support/waiting.ts";
import { countsOf } from "../../tests/support/queue_counts.ts";

const FROM = "from=<sender@example.com>, size=21, nrcpt=1 (queue active)";

test("a message is delivered, settled and removed", {}, async (world) => {
  const queueId = await world.enqueue(["a@example.org"]);
  await world.untilEmpty();
  await world.until(() => world.settled === 1);
  assertEquals(world.lines(queueId), [FROM, "removed"]);
  const [{ envelope, activeAt, seal, ...request }] = world.requests as [DeliveryRequest];
  assertEquals(envelope.queueId, queueId);
  assert(activeAt >= envelope.arrived);
  assertEquals(seal, world.handed(envelope.queueId, ...request.recipients.map(({ n }) => n)).seal);
  assertEquals(request, {
    size: 21,
    nexthop: "example.org",
    recipients: [
      { n: 0, address: "a@example.org", original: "a@example.org", orcpt: "", notify: [] },
    ],
    keep: false,
  });
});

test("recipients are grouped by transport and nexthop, under their resolved addresses", {
  resolve: (address) =>
    address.startsWith("l")
      ? resolvedTo("lmtp", "unix:/x", address)
      : resolvedTo("smtp", "Example.ORG", address.toLowerCase()),
}, async (world) => {
  await world.enqueue(["A@example.org", "l@x", "b@EXAMPLE.org"]);
  await world.untilEmpty();
  const groups = world.requests.map(({ nexthop, recipients }) => [
    nexthop,
    recipients.map(({ n, address, original }) => [n, address, original]),
  ]);
  assertEquals(groups.sort(), [
    ["Example.ORG", [[0, "a@example.org", "A@example.org"], [
      2,
      "b@example.org",
      "b@EXAMPLE.org",
    ]]],
    ["unix:/x", [[1, "l@x", "l@x"]]],
  ]);
});

test("a deferred message waits for its next attempt, and is tried then", {
  params: { queueRunDelay: 0.02 },
  agent: (request) =>
    all(request, request.envelope.arrived + 250_000 < request.activeAt ? sent : deferred),
}, async (world) => {
  const queueId = await world.enqueue(["a@example.org"]);
  await world.untilIn(queueId, "deferred");
  const { nextTry } = (await world.store.find(queueId))!;
  assert(Math.abs(nextTry - Date.now() - 300_000) < 5000);
  const [recipient] = await world.store.recipients(queueId, [], 0, 1);
  assertEquals([recipient!.state, recipient!.outcome!.text], ["deferred", "450 later"]);
  await pause(80);
  assertEquals(world.requests.length, 1);
  world.ahead = 301_000;
  await world.untilEmpty();
  assertEquals(world.lines(queueId), [FROM, FROM, "removed"]);
});

const AHEAD = 1_000_000;
const LATER = Date.now() + AHEAD;

test("only recipients that were deferred are tried again", {
  agent: (request) =>
    all(request, (n) => n === 1 && request.activeAt < LATER ? deferred(n) : sent(n)),
}, async (world) => {
  const queueId = await world.enqueue(["a@x", "b@x", "c@x"]);
  await world.untilIn(queueId, "deferred");
  world.ahead = AHEAD;
  assertEquals((await world.flush.call("flush", { id: "", site: "" })).reply, { count: 1 });
  await world.untilEmpty();
  assertEquals(world.requests.map(({ recipients }) => recipients.map(({ n }) => n)), [
    [0, 1, 2],
    [1],
  ]);
});

for (
  const [transport, nexthop, text] of [
    ["error", "5.7.1 go away", "dsn=5.7.1, status=bounced (go away)"],
    ["error", "no such place", "dsn=5.0.0, status=bounced (no such place)"],
    ["retry", "4.3.5 not now", "dsn=4.3.5, status=deferred (not now)"],
    ["retry", "not now", "dsn=4.0.0, status=deferred (not now)"],
    ["discard", "silence", "dsn=2.0.0, status=sent (silence)"],
  ] as const
) {
  test(`transport ${transport}:${nexthop} needs no agent`, {
    resolve: (address) => resolvedTo(transport, nexthop, address),
  }, async (world) => {
    const queueId = await world.enqueue(["a@x"]);
    if (transport === "retry") await world.untilIn(queueId, "deferred");
    else await world.untilEmpty();
    assertEquals(world.lines(queueId)[1], `to=<a@x>, relay=none, delay=D, ${text}`);
    assertEquals(world.programs.get(queueId), transport === "discard" ? "discard" : "error");
    assertEquals([world.requests.length, world.reports.length], [0, transport === "error" ? 1 : 0]);
  });
}

for (
  const [what, resolve, text] of [
    [
      "rewrite that stays away",
      () => Promise.reject(new CallError("unavailable", "rewrite: gone")),
      "dsn=4.3.0, status=deferred (address resolver failure)",
    ],
    [
      "a table that fails",
      (address: string) => ({ ...resolvedTo("smtp", "x", address), fail: true }),
      "dsn=4.3.0, status=deferred (address resolver failure)",
    ],
    [
      "an address that is none",
      (address: string) => ({ ...resolvedTo("smtp", "x", address), error: true }),
      "dsn=5.1.3, status=bounced (bad address syntax)",
    ],
  ] as const
) {
  test(`routing survives ${what}`, { resolve }, async (world) => {
    const queueId = await world.enqueue(["a@x"]);
    await world.until(() => world.lines(queueId).length >= 2);
    assertEquals(world.lines(queueId)[1], `to=<a@x>, relay=none, delay=D, ${text}`);
    assertEquals(world.programs.get(queueId), "error");
  });
}

test("mail of a transport in defer_transports is deferred", {
  params: { deferTransports: ["smtp"] },
}, async (world) => {
  const queueId = await world.enqueue(["a@x"]);
  await world.untilIn(queueId, "deferred");
  assertEquals(world.requests.length, 0);
  assert(world.lines(queueId)[1]!.endsWith("dsn=4.3.2, status=deferred (deferred transport)"));
});

test(
  "a destination that fails twice is dead: its mail is deferred without an attempt, until it is flushed",
  {
    agent: (request) =>
      request.nexthop === "bad"
        ? {
          ...all(request, (n) => deferred(n, "connect to bad: refused")),
          siteProblem: { dsn: "4.4.1", text: "connect to bad: refused" },
        }
        : all(request, sent),
  },
  async (world) => {
    await world.enqueue(["a@bad"]);
    await world.enqueue(["b@bad"]);
    await world.until(() => world.requests.length === 2);
    await world.until(async () => (await countsOf(world.store)).deferred === 2);
    const third = await world.enqueue(["c@bad", "d@good"]);
    await world.untilIn(third, "deferred");
    assertEquals(world.requests.filter(({ nexthop }) => nexthop === "bad").length, 2);
    assertEquals(
      world.lines(third).find((line) => line.startsWith("to=")),
      "to=<c@bad>, relay=none, delay=D, dsn=4.4.1, status=deferred " +
        "(delivery temporarily suspended: connect to bad: refused)",
    );
    await world.flush.call("flush", { id: third, site: "" });
    await world.until(() => world.requests.filter(({ nexthop }) => nexthop === "bad").length === 3);
  },
);

gated("a slow destination does not hold up others", async (world, gate) => {
  const slow = gate.agent;
  gate.agent = (request) =>
    request.nexthop === "slow" ? slow(request) : Promise.resolve(all(request, sent));
  for (let i = 0; i < 10; i++) await world.enqueue([`r${i}@slow`]);
  const quick = await world.enqueue(["a@quick"]);
  await world.until(() => world.lines(quick).includes("removed"));
  assertEquals(gate.waiting.length, 2);
  for (let i = 0; i < 20; i++) {
    gate.open();
    await pause(1);
  }
  await world.until(() => (gate.open(), world.qmgr.activeQueue.messages.size === 0));
});

for (
  const [what, lie] of [
    ["forgets a recipient", (): DeliveryReply => ({ outcomes: [sent(0)], siteProblem: null })],
    [
      "speaks for another",
      (): DeliveryReply => ({ outcomes: [sent(0), sent(7)], siteProblem: null }),
    ],
    ["repeats itself", (): DeliveryReply => ({ outcomes: [sent(0), sent(0)], siteProblem: null })],
    ["breaks", (): DeliveryReply => {
      throw new CallError("bug", "smtp: oops");
    }],
    ["never answers", (): DeliveryReply => {
      throw new CallError("deadline", "smtp: no answer in time");
    }],
  ] as const
) {
  test(`an agent that ${what} defers its recipients and blames the site`, {
    agent: lie,
  }, async (world) => {
    const queueId = await world.enqueue(["a@x", "b@x"]);
    await world.untilIn(queueId, "deferred");
    const text = "relay=none, delay=D, dsn=4.3.0, status=deferred (unknown mail transport error)";
    assertEquals(world.lines(queueId).slice(1), [`to=<a@x>, ${text}`, `to=<b@x>, ${text}`]);
    assertEquals(await world.store.tally(queueId), {
      todo: 0,
      deferred: 2,
      bounced: 0,
      sent: 0,
      deliverable: 0,
      undeliverable: 0,
      done: 0,
    });
  });
}

for (
  const [what, error] of [
    ["is not in master.cf", new BugError("the policy row of qmgr does not call smtp")],
    ["cannot be reached", new CallError("unavailable", "smtp: connect ENOENT /x")],
  ] as const
) {
  test(`a transport that ${what} is left alone for a while`, {
    agent: () => {
      throw error;
    },
  }, async (world) => {
    const first = await world.enqueue(["a@x"]);
    await world.untilIn(first, "deferred");
    const second = await world.enqueue(["b@y"]);
    await world.untilIn(second, "deferred");
    assertEquals(world.requests.length, 1);
    assert(world.log.includes(
      "warning: transport smtp failure -- see a previous warning/fatal/panic logfile record " +
        "for the problem description",
    ));
    assert(world.lines(second)[1]!.endsWith("status=deferred (mail transport unavailable)"));
    assertEquals(world.programs.get(second), "error");
  });
}

test("large content is streamed to the agent from the store", {
  agent: async (request, content) => {
    let size = 0;
    assert(!(content instanceof Uint8Array));
    for await (const chunk of content) size += chunk.length;
    assertEquals([size, request.size], [1_000_000, 1_000_000]);
    return all(request, sent);
  },
}, async (world) => {
  async function* large() {
    for (let i = 0; i < 10; i++) yield await Promise.resolve(new Uint8Array(100_000).fill(i));
  }
  const queueId = await world.enqueue(["a@x"], { content: large() });
  await world.untilEmpty();
  assertEquals(world.lines(queueId).at(-1), "removed");
  assertEquals(world.contents(), []);
});

test("content that cannot be read moves its message to corrupt", {
  agent: (request) => all(request, deferred),
}, async (world) => {
  const queueId = await world.enqueue(["a@x"], {
    content: (async function* () {
      yield await Promise.resolve(new Uint8Array(500_000));
    })(),
  });
  await world.untilIn(queueId, "deferred");
  Deno.truncateSync(`${world.directory}/content/${queueId}`, 5);
  await world.flush.call("flush", { id: "", site: "" });
  await world.untilIn(queueId, "corrupt");
});

test("a message with more recipients than fit in memory is delivered in pages", {
  params: { qmgrMessageRecipientLimit: 30, qmgrMessageRecipientMinimum: 10 },
}, async (world) => {
  const addresses = Array.from({ length: 95 }, (_, i) => `r${i}@x`);
  await world.enqueue(addresses);
  await world.untilEmpty();
  const pages = world.requests.map(({ recipients }) => recipients.length);
  assertEquals(pages, [30, 30, 30, 5]);
  assertEquals(
    world.requests.flatMap(({ recipients }) => recipients.map(({ address }) => address)),
    addresses,
  );
});
