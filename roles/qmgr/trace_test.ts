/** Mail whose sender wants a report on every recipient (sendmail -v), or whose recipients are only verified (-bv). */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { CallError } from "../../shared/ipc/failure.ts";
import type { Outcome } from "../../shared/mail/envelope.ts";
import {
  all,
  bounced,
  deferred,
  gated,
  GRACE_MS,
  resolvedTo,
  sent,
  test,
  World,
} from "./test_world.ts";

function deliverable(n: number): Outcome {
  return { ...sent(n), status: "deliverable" };
}

function undeliverable(n: number): Outcome {
  return { ...bounced(n), status: "undeliverable" };
}

/** Kind, and status and code of each recipient, of every report. */
function reported(world: World): [string, string[]][] {
  return world.reports.map(({ kind, recipients }) => [
    kind,
    recipients.map(({ address, outcome: { status, dsn } }) => `${address} ${status} ${dsn}`),
  ]);
}

let given = "";
test("recipients are verified by agents that get no content, reported on, and forgotten", {
  agent: (request, content) => {
    given = `${content instanceof Uint8Array && content.length} ${request.envelope.trace}`;
    return all(request, (n) => n ? undeliverable(n) : deliverable(n));
  },
}, async (world) => {
  const queueId = await world.enqueue(["a@x", "b@x"], { trace: "verify", notify: ["NEVER"] });
  await world.untilEmpty();
  assertEquals(given, "0 verify");
  assertEquals(reported(world), [["trace", ["a@x deliverable 2.0.0", "b@x undeliverable 5.1.1"]]]);
  assertEquals(world.lines(queueId).at(-1), "removed");
});

for (
  const [transport, status, dsn] of [
    ["error", "undeliverable", "5.0.0"],
    ["retry", "undeliverable", "4.0.0"],
    ["discard", "deliverable", "2.0.0"],
  ] as const
) {
  test(`a recipient of ${transport} is ${status}, and never tried again`, {
    resolve: (address) => resolvedTo(transport, "because", address),
  }, async (world) => {
    const queueId = await world.enqueue(["a@x"], { trace: "verify" });
    await world.untilEmpty();
    assertEquals(
      world.lines(queueId)[1],
      `to=<a@x>, relay=none, delay=D, dsn=${dsn}, status=${status} (because)`,
    );
    assertEquals(reported(world), [["trace", [`a@x ${status} ${dsn}`]]]);
  });
}

for (
  const [what, agent] of [
    ["delivers", sent],
    ["puts off", deferred],
    ["bounces", bounced],
  ] as const
) {
  test(`an agent that ${what} what it was to verify is not believed`, {
    agent: (request) => all(request, agent),
  }, async (world) => {
    await world.enqueue(["a@x"], { trace: "verify" });
    await world.untilEmpty();
    assertEquals(reported(world), [["trace", ["a@x undeliverable 4.3.0"]]]);
  });

  test(`an agent that verifies what it was to deliver defers it, one of two that it ${what}`, {
    agent: (request) => all(request, (n) => n ? agent(n) : deliverable(n)),
  }, async (world) => {
    const queueId = await world.enqueue(["a@x", "b@x"]);
    await world.untilIn(queueId, "deferred");
    assertEquals((await world.store.tally(queueId)).deferred, 2);
    assertEquals(world.reports, []);
  });
}

test(
  "an agent that breaks leaves its recipients undeliverable, and one that is not there as well",
  {
    agent: (request) =>
      Promise.reject(
        request.nexthop === "dies"
          ? new CallError("bug", "smtp: broken")
          : new CallError("unavailable", "smtp: connect ECONNREFUSED"),
      ),
  },
  async (world) => {
    await world.enqueue(["a@dies"], { trace: "verify" });
    await world.untilEmpty();
    await world.enqueue(["a@absent"], { trace: "verify" });
    await world.untilEmpty();
    assertEquals(reported(world), [
      ["trace", ["a@dies undeliverable 4.3.0"]],
      ["trace", ["a@absent undeliverable 4.3.0"]],
    ]);
  },
);

gated("a former agent's word that other mail was deliverable is refused", async (world, gate) => {
  const active = await world.enqueue(["a@x"]);
  await world.until(() => gate.waiting.length === 1);
  gate.open(deferred);
  await world.untilIn(active, "deferred");
  const lie = { handed: world.handed(active, 0), outcomes: [deliverable(0)] };
  await assertRejects(() => world.outcomes.call("report", lie), CallError, "this kind of message");
  assertEquals((await world.store.tally(active)).deferred, 1);
  await world.flush.call("flush", { id: active, site: "" });
  await world.until(() => gate.waiting.length === 1);
  await assertRejects(() => world.outcomes.call("report", lie), CallError, "this kind of message");
  gate.open(sent);
  await world.untilEmpty();
});

gated(
  "a former agent's word on a message whose record is damaged is refused for good",
  async (world, gate) => {
    const queueId = await world.enqueue(["a@x"]);
    await world.until(() => gate.waiting.length === 1);
    gate.open(deferred);
    await world.untilIn(queueId, "deferred");
    // The row shows before its change is durable: until then the message is active still.
    await world.until(() => !world.qmgr.activeQueue.messages.has(queueId));
    const shell = new DatabaseSync(`${world.directory}/queue.db`);
    shell.exec("UPDATE messages SET envelope = '{}'");
    shell.close();
    const report = { handed: world.handed(queueId, 0), outcomes: [sent(0)] };
    const error = await assertRejects(() => world.outcomes.call("report", report)) as CallError;
    assertEquals(error.code, "refused");
  },
);

Deno.test("a former agent's word on what it was to verify is taken, and reported once", async () => {
  let disk = "";
  await using world = await World.open({
    agent: (request) => {
      disk ||= world.crash();
      return all(request, deliverable);
    },
  });
  const queueId = await world.enqueue(["a@x"], { trace: "verify" });
  await world.untilEmpty();
  await using next = await World.open({ directory: disk, graceMs: GRACE_MS });
  await next.outcomes.call("report", {
    handed: next.handed(queueId, 0),
    outcomes: [undeliverable(0)],
  });
  next.endGrace();
  await next.untilEmpty();
  assertEquals(next.requests, []);
  assertEquals(reported(next), [["trace", ["a@x undeliverable 5.1.1"]]]);
});

let failures = 0;
test("a verification whose report cannot be made is reported later, and not made again", {
  agent: (request) => all(request, undeliverable),
  bounce: () =>
    failures-- > 0
      ? Promise.reject(new CallError("unavailable", "x"))
      : Promise.resolve("4dXyZ12345z1"),
}, async (world) => {
  failures = 1;
  const queueId = await world.enqueue(["a@x"], { trace: "verify" });
  await world.untilIn(queueId, "deferred");
  const listed = [];
  for await (const each of world.store.list()) listed.push(...each.recipients);
  assertEquals(listed, [{ address: "a@x", other_reason: "550 no" }]);
  await world.flush.call("flush", { id: queueId, site: "" });
  await world.untilEmpty();
  assertEquals([world.requests.length, world.reports.length], [1, 1]);
});

for (const trace of ["verify", "deliver"] as const) {
  test(`a null sender hears nothing of what it asked to ${trace}`, {
    agent: (request) => all(request, trace === "verify" ? undeliverable : sent),
  }, async (world) => {
    const queueId = await world.enqueue(["a@x"], { trace, sender: "" });
    await world.untilEmpty();
    assertEquals(world.lines(queueId).at(-1), "removed");
    assertEquals(world.reports, []);
  });

  Deno.test(`a report on what was asked to ${trace} is the same one after a kill on either side of it`, async () => {
    const disks: string[] = [];
    const agent = (n: number) => trace === "verify" ? deliverable(n) : sent(n);
    await using world = await World.open({
      agent: (request) => all(request, agent),
      bounce: () => Promise.resolve(disks.push(world.crash())).then(() => "4dXyZ12345z1"),
    });
    await world.enqueue(["a@x"], { trace });
    await world.untilEmpty();
    await using next = await World.open({ directory: disks[0]! });
    await next.untilEmpty();
    assertEquals([next.requests.length, next.reports], [0, world.reports]);
    assert(world.reports[0]!.source);
  });
}

test("a message that waited too long is verified all the same", {
  agent: (request) => all(request, deliverable),
}, async (world) => {
  await world.enqueue(["a@x"], { trace: "verify", arrived: Date.now() - 30 * 86_400_000 });
  await world.untilEmpty();
  assertEquals(reported(world), [["trace", ["a@x deliverable 2.0.0"]]]);
});

test("the first attempt is reported once, with all recipients, beside the bounce", {
  agent: (request) => all(request, (n) => [sent, deferred, bounced][n]!(n)),
}, async (world) => {
  const queueId = await world.enqueue(["a@x", "b@x", "c@x"], { trace: "deliver" });
  await world.untilIn(queueId, "deferred");
  assertEquals(reported(world), [
    ["failure", ["c@x bounced 5.1.1"]],
    ["trace", ["a@x sent 2.0.0", "b@x deferred 4.2.0", "c@x bounced 5.1.1"]],
  ]);
  assert(world.reports[1]!.retryUntil > Date.now());
  assertEquals((await world.store.find(queueId))!.traced, true);
  await world.flush.call("flush", { id: "", site: "" });
  await world.until(() => world.requests.length === 2);
  await world.untilIn(queueId, "deferred");
  assertEquals(world.reports.length, 2);
});

test("what was too old at its first attempt is not said to be delayed", {
  agent: (request) => all(request, deferred),
}, async (world) => {
  await world.enqueue(["a@x"], { trace: "deliver", arrived: Date.now() - 30 * 86_400_000 });
  await world.untilEmpty();
  assertEquals(world.reports.map(({ kind, retryUntil }) => [kind, retryUntil]), [
    ["failure", 0],
    ["trace", 0],
  ]);
});

gated(
  "a message that is held while it is verified is verified when it is released",
  async (world, gate) => {
    const queueId = await world.enqueue(["a@x", "b@y"], { trace: "verify" });
    await world.until(() => gate.waiting.length === 2);
    const holding = world.queue.call("hold", { which: [queueId] });
    await world.until(() => world.qmgr.activeQueue.messages.get(queueId)?.disposition === "hold");
    gate.open(deliverable);
    await holding;
    await world.untilIn(queueId, "hold");
    assertEquals(world.reports, []);
    await world.queue.call("release", { which: [queueId] });
    await world.untilEmpty();
    assertEquals(world.requests.length, 2);
    assertEquals(reported(world), [["trace", ["a@x deliverable 2.0.0", "b@y deliverable 2.0.0"]]]);
  },
);

for (const trace of ["verify", "deliver"] as const) {
  let code: "refused" | "unavailable" = "unavailable";
  test(
    `a report on what was asked to ${trace} is given up when it is old and refused, not when nobody answers`,
    {
      agent: (request) => all(request, trace === "verify" ? deliverable : sent),
      bounce: () => Promise.reject(new CallError(code, "bounce: no")),
    },
    async (world) => {
      const old = await world.enqueue(["a@x"], { trace, arrived: Date.now() - 30 * 86_400_000 });
      await world.untilIn(old, "deferred");
      code = "refused";
      const young = await world.enqueue(["b@x"], { trace });
      await world.untilIn(young, "deferred");
      await world.flush.call("flush", { id: "", site: "" });
      await world.until(() => world.lines(old).includes("removed"));
      await world.untilIn(young, "deferred");
      assert(world.log.some((line) => line.includes(`${old}: too old to be tried again`)));
    },
  );
}
