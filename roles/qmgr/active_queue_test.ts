/** What a message waits for is counted; whatever happens to it, the count is what is really there. */

import { assert, assertEquals } from "@std/assert";
import { CallError } from "../../shared/ipc/failure.ts";
import type { DeliveryReply, DeliveryRequest } from "../../shared/protocols/delivery.ts";
import { Random } from "../../tests/support/random.ts";
import { pause } from "../../tests/support/waiting.ts";
import type { ActiveMessage } from "./active_message.ts";
import { all, bounced, deferred, resolvedTo, sent, World } from "./test_world.ts";

const PROBLEM = { dsn: "4.4.1", text: "connect to x: Connection refused" };
const STEPS = 60;

/** Parts of a message that can be seen: entries that wait, entries with agents, recipients withheld. */
function partsOf({ qmgr }: World, message: ActiveMessage): number {
  const jobs = [...qmgr.activeQueue.scheduler.transports.values()]
    .flatMap((transport) => transport.jobs.get(message) ?? []);
  const waiting = jobs.reduce((sum, job) => sum + job.waiting, 0);
  return waiting + message.running.length + message.withheld;
}

/** A world to which anything happens, in an order that a seed repeats. */
class Turmoil {
  readonly random: Random;
  readonly ends: (() => void)[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  open(): Promise<World> {
    return World.open({
      agent: (request) => new Promise((reply, fail) => this.#hand(request, reply, fail)),
      resolve: (address) => this.#resolve(address),
      // Longer messages are read in several pages.
      params: { qmgrMessageRecipientLimit: 20, qmgrMessageRecipientMinimum: 3 },
    });
  }

  /** One step of anything. */
  async step(world: World): Promise<void> {
    const { random } = this;
    const [id] = world.qmgr.activeQueue.messages.keys();
    const which = id ? [id] : [];
    switch (random.below(8)) {
      case 0:
      case 1:
      case 2:
        await world.enqueue(Array.from({ length: 1 + random.below(12) }, () => this.#address()));
        break;
      case 3:
        await world.queue.call(random.pick(["hold", "requeue", "delete"]), { which });
        break;
      case 4:
        await this.#report(world);
        break;
      default:
        for (let ended = random.below(4); ended > 0; ended--) this.end();
    }
  }

  /** Ends one delivery. */
  end(): void {
    this.ends.splice(this.random.below(this.ends.length), 1)[0]?.();
  }

  #hand(
    request: DeliveryRequest,
    reply: (reply: DeliveryReply) => void,
    fail: (error: Error) => void,
  ): void {
    const { random } = this;
    this.ends.push(() => {
      if (random.chance(0.2)) return fail(new CallError("unavailable", "smtp: connection closed"));
      const outcome = random.pick([sent, sent, sent, deferred, bounced]);
      const siteProblem = outcome === deferred && random.chance(0.5) ? PROBLEM : null;
      reply({ ...all(request, outcome), siteProblem });
    });
  }

  /** An agent claims recipients of the first message, and speaks of some. */
  async #report(world: World): Promise<void> {
    const [message] = world.qmgr.activeQueue.messages.values();
    if (!message) return;
    const n = this.random.below(message.recipientCount);
    const handed = world.handed(message.queueId, n);
    await world.outcomes.call("report", {
      handed,
      outcomes: [this.random.pick([sent, deferred])(n)],
    });
  }

  #address(): string {
    const { random } = this;
    return `${random.pick(["a", "b", "c"])}@${random.pick(["x", "y", "z", "error", "later"])}`;
  }

  #resolve(address: string) {
    const domain = address.split("@")[1]!;
    if (domain === "error") return resolvedTo("error", "5.1.1 no", address);
    const route = resolvedTo("smtp", domain, address);
    return domain === "later" ? pause(1).then(() => route) : route;
  }
}

for (let seed = 1; seed <= 8; seed++) {
  Deno.test(`what a message waits for is there, and it leaves in the end: seed ${seed}`, async () => {
    const turmoil = new Turmoil(seed);
    await using world = await turmoil.open();
    const { activeQueue } = world.qmgr;
    activeQueue.retryMs = 5;
    const counted = () =>
      [...activeQueue.messages.values()].filter(({ completing }) => !completing).map((message) => {
        const parts = partsOf(world, message);
        assert(message.pending >= parts, `${message.pending} pending, there are ${parts}`);
        return message.pending === parts;
      });
    for (let step = 0; step < STEPS; step++) {
      await turmoil.step(world);
      // Routing and reading are steps that nobody sees, and end by themselves.
      await world.until(() => counted().every(Boolean), "the parts of each message");
    }
    await world.until(() => (turmoil.end(), activeQueue.messages.size === 0), "an end of all");
    assertEquals(turmoil.ends.length, 0);
  });
}

Deno.test("a message that is held between two pages of recipients ends once", async () => {
  const moved: string[] = [];
  const held: (() => void)[] = [];
  let holding = false;
  await using world = await World.open({
    params: { qmgrMessageRecipientLimit: 1, qmgrMessageRecipientMinimum: 1 },
    around: (store) => {
      const commit = store.commit.bind(store);
      store.commit = async (batch) => {
        moved.push(...batch.moved.map(({ queue }) => queue));
        if (holding && batch.outcomes.length) await new Promise<void>((go) => held.push(go));
        return commit(batch);
      };
      return store;
    },
    agent: (request) => (holding = true, all(request, sent)),
  });
  const queueId = await world.enqueue(["a@x", "b@x"]);
  await world.until(() => held.length === 1);
  const { activeQueue } = world.qmgr;
  activeQueue.judge(activeQueue.messages.get(queueId)!, "hold");
  holding = false;
  held[0]!();
  await world.untilIn(queueId, "hold");
  await world.until(() => activeQueue.messages.size === 0);
  await pause(20);
  assertEquals([moved, activeQueue.contentBytes], [["hold"], 0]);
});
