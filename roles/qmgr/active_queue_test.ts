/** What a message waits for is counted; whatever happens to it, the count is what is really there. */

import { assert, assertEquals } from "@std/assert";
import { CallError } from "../../shared/ipc/failure.ts";
import { MAX_REASON, MAX_RECIPIENTS } from "../../shared/mail/envelope.ts";
import type { DeliveryReply, DeliveryRequest } from "../../shared/protocols/delivery.ts";
import { OPEN } from "../../shared/queue/store.ts";
import { Random } from "../../tests/support/random.ts";
import { pause } from "../../tests/support/waiting.ts";
import type { ActiveMessage } from "./active_message.ts";
import { all, bounced, deferred, gated, resolvedTo, sent, World } from "./test_world.ts";

const PROBLEM = { dsn: "4.4.1", text: "connect to x: Connection refused" };
const STEPS = 60;
/** Recipients in memory. */
const MEMORY = 20;

/** Parts of a message that can be seen: entries that wait, entries with agents, recipients withheld. */
function partsOf({ qmgr }: World, message: ActiveMessage): number {
  const jobs = [...qmgr.activeQueue.scheduler.transports.values()]
    .flatMap((transport) => transport.jobs.get(message) ?? []);
  const waiting = jobs.reduce((sum, job) => sum + job.waiting, 0);
  return waiting + message.running.length + message.withheld;
}

/** Recipients in these parts. */
function recipientsOf({ qmgr }: World, message: ActiveMessage): number {
  const waiting = [...qmgr.activeQueue.scheduler.transports.values()]
    .flatMap((transport) => transport.jobs.get(message) ?? [])
    .flatMap((job) => [...job.peers.values()]).flatMap((peer) => peer.entries);
  const entries = [...waiting, ...message.running];
  return entries.reduce((sum, entry) => sum + entry.recipients.length, 0) + message.withheld;
}

/** A world to which anything happens, in an order that a seed repeats. */
class Turmoil {
  readonly random: Random;
  readonly ends: (() => void)[] = [];
  /** The recipients of each message that nobody has deleted. */
  readonly addresses = new Map<string, string[]>();
  /** `queue id number` of recipients that are with an agent, and of those that need no other attempt. */
  readonly out = new Set<string>();
  readonly ended = new Set<string>();
  /** Those that a former agent spoke of: believed or not. */
  readonly reported = new Set<string>();
  /** What was handed out that must not be. */
  readonly faults: string[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  open(): Promise<World> {
    return World.open({
      agent: (request) => new Promise((reply, fail) => this.#hand(request, reply, fail)),
      resolve: (address) => this.#resolve(address),
      // Longer messages are read in several pages.
      params: { qmgrMessageRecipientLimit: MEMORY, qmgrMessageRecipientMinimum: 3 },
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
        await this.#enqueue(world);
        break;
      case 3: {
        const word = random.pick(["hold", "requeue", "delete"] as const);
        if (word === "delete") { for (const each of which) this.addresses.delete(each); }
        await world.queue.call(word, { which });
        break;
      }
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

  /** Recipients that are neither finished with nor open in the store: lost. */
  async lost(world: World): Promise<string[]> {
    const lost: string[] = [];
    for (const [queueId, addresses] of this.addresses) {
      const stored = await world.store.find(queueId)
        ? await world.store.recipients(queueId, OPEN, 0, MAX_RECIPIENTS)
        : [];
      const open = new Set(stored.map(({ n }) => n));
      for (const [n, address] of addresses.entries()) {
        const key = `${queueId} ${n}`;
        const ended = this.ended.has(key) || this.reported.has(key) || address.endsWith("@error");
        if (!ended && !open.has(n)) lost.push(`${queueId} ${n} ${address}`);
      }
    }
    return lost;
  }

  /** Now and then a message of several pages. */
  async #enqueue(world: World): Promise<void> {
    const length = 1 + this.random.below(this.random.chance(0.2) ? 60 : 12);
    const addresses = Array.from({ length }, () => this.#address());
    this.addresses.set(await world.enqueue(addresses), addresses);
  }

  #hand(
    request: DeliveryRequest,
    reply: (reply: DeliveryReply) => void,
    fail: (error: Error) => void,
  ): void {
    const { random } = this;
    const keys = request.recipients.map(({ n }) => `${request.envelope.queueId} ${n}`);
    for (const key of keys) {
      if (this.out.has(key) || this.ended.has(key)) this.faults.push(`${key} is handed out again`);
      this.out.add(key);
    }
    this.ends.push(() => {
      for (const key of keys) this.out.delete(key);
      if (random.chance(0.2)) return fail(new CallError("unavailable", "smtp: connection closed"));
      const outcome = random.pick([sent, sent, sent, deferred, bounced]);
      if (outcome !== deferred) { for (const key of keys) this.ended.add(key); }
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
    const outcome = this.random.pick([sent, deferred])(n);
    this.reported.add(`${message.queueId} ${n}`);
    await world.outcomes.call("report", { handed, outcomes: [outcome] });
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
        if (message.pending !== parts) return false;
        const recipients = recipientsOf(world, message);
        // What was taken out of the schedule is forgotten with its message.
        if (!message.disposition) assertEquals(message.held, recipients, "recipients held");
        assert(message.held >= recipients, `${message.held} held, there are ${recipients}`);
        return true;
      });
    for (let step = 0; step < STEPS; step++) {
      await turmoil.step(world);
      // Routing and reading are steps that nobody sees, and end by themselves.
      await world.until(() => counted().every(Boolean), "the parts of each message");
    }
    await world.until(() => (turmoil.end(), activeQueue.messages.size === 0), "an end of all");
    assertEquals([turmoil.ends.length, activeQueue.page], [0, MEMORY]);
    assertEquals([turmoil.faults, await turmoil.lost(world)], [[], []]);
  });
}

gated(
  "one slow recipient does not hold up those of later pages, nor does memory fill",
  async (world, gate) => {
    const addresses = Array.from({ length: 60 }, (_, i) => `r${i}@fast`);
    const queueId = await world.enqueue(["slow@slow", ...addresses]);
    const message = world.qmgr.activeQueue.messages.get(queueId)!;
    const done: string[] = [];
    await world.until(() => {
      assert(message.held <= MEMORY, `${message.held} in memory`);
      const [slow, ...fast] = gate.waiting.splice(0)
        .sort((a, b) =>
          Number(b.request.nexthop === "slow") - Number(a.request.nexthop === "slow")
        );
      if (slow) gate.waiting.push(slow);
      for (const { request, reply } of fast) {
        done.push(...request.recipients.map(({ address }) => address));
        reply(all(request, sent));
      }
      return done.length === 60;
    }, "all but the slow one");
    assertEquals([new Set(done).size, world.qmgr.activeQueue.messages.size], [60, 1]);
    gate.open();
    await world.untilEmpty();
  },
  { qmgrMessageRecipientLimit: MEMORY, qmgrMessageRecipientMinimum: 10 },
);

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

gated("however long a site's reason is, what waits for it is tried again", async (world, gate) => {
  const ids = [];
  for (let n = 0; n < 5; n++) ids.push(await world.enqueue([`a${n}@x`]));
  await world.until(() => gate.waiting.length === 2);
  const text = "x".repeat(MAX_REASON);
  for (const { request, reply } of gate.waiting.splice(0)) {
    reply({ ...all(request, (n) => deferred(n, text)), siteProblem: { ...PROBLEM, text } });
  }
  for (const id of ids) await world.untilIn(id, "deferred");
  using _ = gate.keepOpen();
  await world.flush.call("flush", { id: "", site: "" });
  await world.untilEmpty();
});

gated(
  "what a former agent reports of a recipient that was not read yet is not forgotten",
  async (world, gate) => {
    const queueId = await world.enqueue(["a@x", "b@x", "c@x", "d@x"]);
    await world.until(() => gate.waiting.length === 1);
    const outcomes = [sent(1), bounced(2), deferred(3)];
    const handed = world.handed(queueId, 1, 2, 3);
    // As an agent does it that outlived a former qmgr.
    const working = world.outcomes.call("working", handed);
    await world.until(() => world.qmgr.answers.some(({ busy }) => busy > 0));
    await world.outcomes.call("report", { handed, outcomes });
    await working;
    await world.until(() => (gate.open(), world.qmgr.activeQueue.messages.size === 0));
    await world.untilEmpty();
    const tried = world.requests.flatMap(({ recipients }) => recipients.map(({ n }) => n));
    assertEquals(tried, [0, 3]);
    const told = world.reports.flatMap(({ recipients }) => recipients.map((each) => each.address));
    assertEquals(told, ["c@x"]);
  },
  { qmgrMessageRecipientLimit: 1, qmgrMessageRecipientMinimum: 1 },
);
