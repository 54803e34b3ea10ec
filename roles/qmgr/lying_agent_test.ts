/** Agents that hang, lie or break, on a real socket: what they may not do to mail. */

import { assert, assertEquals } from "@std/assert";
import { createServer, type Socket } from "node:net";
import { client } from "../../shared/ipc/client.ts";
import { answer } from "../../shared/ipc/server.ts";
import type { Outcome } from "../../shared/mail/envelope.ts";
import {
  type DeliveryReply,
  type DeliveryRequest,
  deliveryService,
} from "../../shared/protocols/delivery.ts";
import { deferred, sent, World } from "./test_world.ts";
import { pause } from "../../tests/support/waiting.ts";

type Handler = (request: DeliveryRequest) => Promise<DeliveryReply>;

/** A qmgr whose agent for every transport is `deliver`, behind a socket of its own; `kill` ends its connections. */
async function withAgent(
  deliver: Handler,
  test: (world: World, kill: () => void) => Promise<void>,
): Promise<void> {
  const directory = Deno.makeTempDirSync();
  const answerer = answer(deliveryService("smtp"), { deliver });
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    answerer.attach(socket);
  });
  const kill = () => sockets.splice(0).forEach((socket) => socket.destroy());
  server.listen(`${directory}/s`);
  const agent = client(deliveryService("smtp"), { path: `${directory}/s` });
  try {
    await using world = await World.open({ clientOf: () => agent });
    await test(world, kill);
    // What never ends must not hold the test up.
    world.qmgr.activeQueue.stop = () => Promise.resolve();
  } finally {
    agent.close();
    await new Promise((resolve) => server.close(resolve));
    Deno.removeSync(directory, { recursive: true });
  }
}

/** A reply without a word about the site. */
function says(...outcomes: Outcome[]): Promise<DeliveryReply> {
  return Promise.resolve({ outcomes, siteProblem: null });
}

const LIES: [string, (request: DeliveryRequest) => Promise<DeliveryReply>][] = [
  ["of recipients that it was not given", () => says(sent(0), sent(1), sent(2))],
  ["of one recipient twice", () => says(sent(0), sent(0))],
  ["of other recipients than its own", () => says(sent(7), sent(8))],
  ["of fewer recipients than it was given", () => says(sent(0))],
  ["of nobody", () => says()],
];

for (const [what, lie] of LIES) {
  Deno.test(`an agent that speaks ${what} is not believed: its mail is tried again, and logged`, () =>
    withAgent(lie, async (world) => {
      const queueId = await world.enqueue(["a@x", "b@x"]);
      await world.untilIn(queueId, "deferred");
      const { todo, deferred, sent } = await world.store.tally(queueId);
      assertEquals([todo, deferred, sent], [0, 2, 0]);
      assert(world.log.some((line) => line.includes("not those of the recipients handed over")));
    }));
}

Deno.test("an agent that lies about one message does not touch another", async () => {
  await withAgent(
    (request) => request.recipients[0]!.address === "liar@x" ? says(sent(5)) : says(sent(0)),
    async (world) => {
      const lied = await world.enqueue(["liar@x"]), honest = await world.enqueue(["a@y"]);
      await world.untilIn(lied, "deferred");
      await world.until(() => world.lines(honest).includes("removed"));
    },
  );
});

Deno.test("an agent that answers what is not of the declared shape has delivered nothing", async () => {
  // deno-lint-ignore no-explicit-any
  const nonsense = () => Promise.resolve({ outcomes: [{ n: "0", status: "eaten" }] } as any);
  await withAgent(nonsense, async (world) => {
    const queueId = await world.enqueue(["a@x"]);
    await world.untilIn(queueId, "deferred");
    assertEquals((await world.store.tally(queueId)).sent, 0);
  });
});

Deno.test("an agent that hangs keeps its own destination's mail and no other's", async () => {
  await withAgent(
    (request) => request.nexthop === "hangs" ? new Promise(() => {}) : says(sent(0)),
    async (world) => {
      const hung = await world.enqueue(["a@hangs"]), free = await world.enqueue(["a@y"]);
      await world.until(() => world.lines(free).includes("removed"));
      assertEquals((await world.store.find(hung))!.queue, "active");
    },
  );
});

Deno.test("mail of an agent that hangs is tried again when its process is killed", async () => {
  let hangs = true;
  await withAgent(
    () => hangs ? new Promise(() => {}) : says(sent(0)),
    async (world, kill) => {
      const queueId = await world.enqueue(["a@x"]);
      await world.until(() => world.lines(queueId).length > 0);
      await pause(50);
      assertEquals((await world.store.find(queueId))!.queue, "active");
      hangs = false;
      world.qmgr.activeQueue.retryMs = 10;
      kill();
      await world.untilEmpty();
    },
  );
});

Deno.test("a report about recipients that were handed to another agent changes nothing", async () => {
  let end!: (reply: DeliveryReply) => void;
  await withAgent(() => new Promise((resolve) => (end = resolve)), async (world) => {
    const queueId = await world.enqueue(["a@x"]);
    await world.until(() => end !== undefined);
    await world.outcomes.call("report", {
      handed: world.handed(queueId, 0, 1),
      outcomes: [sent(0), sent(1), sent(0)],
    });
    assertEquals((await world.store.tally(queueId)).sent, 0);
    end({ outcomes: [deferred(0)], siteProblem: null });
    await world.untilIn(queueId, "deferred");
    assertEquals((await world.store.tally(queueId)).deferred, 1);
  });
});

Deno.test("a lying report of a final outcome does not undo one that is durable", async () => {
  await withAgent(() => says(deferred(0), sent(1)), async (world) => {
    const queueId = await world.enqueue(["a@x", "b@x"]);
    await world.untilIn(queueId, "deferred");
    await world.outcomes.call("report", {
      handed: world.handed(queueId, 1),
      outcomes: [deferred(1)],
    });
    assertEquals((await world.store.tally(queueId)).sent, 1);
  });
});
