/** A message's way through a whole qmgr. Agents, rewrite and bounce are stubs, the store and the sockets are real. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { BugError } from "../../shared/errors.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import type { DeliveryReply, DeliveryRequest } from "../../shared/protocols/delivery.ts";
import { all, bounced, deferred, type Options, resolvedTo, sent, World } from "./test_world.ts";

function test(title: string, options: Options, run: (world: World) => Promise<void>): void {
  Deno.test(title, async () => {
    await using world = await World.open(options);
    await run(world);
  });
}

/** Deliveries that end when the test says so. */
function gate() {
  const waiting: { request: DeliveryRequest; reply: (reply: DeliveryReply) => void }[] = [];
  const agent = (request: DeliveryRequest) =>
    new Promise<DeliveryReply>((reply) => waiting.push({ request, reply }));
  const open = (outcome = sent) => {
    for (const { request, reply } of waiting.splice(0)) reply(all(request, outcome));
  };
  return { waiting, agent, open };
}

const FROM = "from=<sender@example.com>, size=21, nrcpt=1 (queue active)";

test("a message is delivered, settled and removed", {}, async (world) => {
  const queueId = await world.enqueue(["a@example.org"]);
  await world.untilEmpty();
  await world.until(() => world.settled === 1);
  assertEquals(world.lines(queueId), [FROM, "removed"]);
  const [{ envelope, activeAt, ...request }] = world.requests as [DeliveryRequest];
  assertEquals(envelope.queueId, queueId);
  assert(activeAt >= envelope.arrived);
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
  await new Promise((resolve) => setTimeout(resolve, 80));
  assertEquals(world.requests.length, 1);
  world.ahead = 301_000;
  await world.untilEmpty();
  assertEquals(world.lines(queueId), [FROM, FROM, "removed"]);
});

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

const AHEAD = 1_000_000;
const LATER = Date.now() + AHEAD;

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
let failures = 0;

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
  agent: (request) => all(request, bounced),
}, async (world) => {
  const queueId = await world.enqueue(["a@x"], { sender: "double-bounce@mail.example" });
  await world.untilEmpty();
  assertEquals([world.reports.length, world.lines(queueId).at(-1)], [0, "removed"]);
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
    await world.until(async () => (await world.store.counts()).deferred === 2);
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

test(
  "a slow destination does not hold up others",
  { agent: (r) => slow.agent(r) },
  async (world) => {
    slow = gate();
    slow.agent =
      ((agent) => (request) =>
        request.nexthop === "slow" ? agent(request) : Promise.resolve(all(request, sent)))(
          slow.agent,
        );
    for (let i = 0; i < 10; i++) await world.enqueue([`r${i}@slow`]);
    const quick = await world.enqueue(["a@quick"]);
    await world.until(() => world.lines(quick).includes("removed"));
    assertEquals(slow.waiting.length, 2);
    for (let i = 0; i < 20; i++) {
      slow.open();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await world.until(() => (slow.open(), world.qmgr.manager.messages.size === 0));
  },
);
let slow = gate();

for (
  const [what, lie] of [
    ["forgets a recipient", (): DeliveryReply => ({ outcomes: [sent(0)], siteProblem: null })],
    [
      "speaks for another",
      (): DeliveryReply => ({ outcomes: [sent(0), sent(7)], siteProblem: null }),
    ],
    ["repeats itself", (): DeliveryReply => ({ outcomes: [sent(0), sent(0)], siteProblem: null })],
    ["dies", (): DeliveryReply => {
      throw new CallError("unavailable", "smtp: connection closed");
    }],
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
  });
}

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

test("content that breaks off is not queued", {}, async (world) => {
  async function* broken() {
    yield await Promise.resolve(new Uint8Array(400_000));
    throw new Error("client went away");
  }
  await assertRejects(() => world.enqueue(["a@x"], { content: broken() }));
  await world.until(() => world.contents().length === 0);
  assertEquals((await world.store.counts()).active, 0);
});

test("a queue id that is taken is refused", { agent: (r) => all(r, deferred) }, async (world) => {
  const queueId = await world.enqueue(["a@x"]);
  await assertRejects(() => world.enqueue(["b@x"], { queueId }), CallError, "taken");
  await world.enqueue(["c@x"]);
});

for (const size of [100, 500_000]) {
  test(`a submission of ${size} bytes that comes twice is delivered once`, {}, async (world) => {
    const content = () =>
      (async function* () {
        yield await Promise.resolve(new Uint8Array(size / 2));
        yield new Uint8Array(size / 2);
      })();
    const source = { id: "a".repeat(64), settled: [] };
    const both = [1, 2].map(() => world.enqueue(["a@x"], { content: content(), source }));
    const [first, again] = await Promise.all(both);
    assertEquals(again, first);
    await world.untilEmpty();
    assertEquals(await world.enqueue(["a@x"], { content: content(), source }), first);
    assertEquals(world.requests.length, 1);
    assertEquals(world.contents(), []);
    const settled = { id: "b".repeat(64), settled: ["a".repeat(64)] };
    await world.enqueue(["b@x"], { source: settled });
    assertEquals(await world.enqueue(["a@x"], { source }) === first, false);
    await world.untilEmpty();
  });
}

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

test("mail beyond the active limit waits in incoming, and follows", {
  params: { qmgrMessageActiveLimit: 3 },
  agent: (request) => full.agent(request),
}, async (world) => {
  full = gate();
  for (let i = 0; i < 10; i++) await world.enqueue([`r${i}@x`]);
  assertEquals(await world.store.counts(), {
    incoming: 7,
    active: 3,
    deferred: 0,
    hold: 0,
    corrupt: 0,
  });
  await world.until(() => (full.open(), world.requests.length === 10));
  full.open();
  await world.untilEmpty();
});
let full = gate();
