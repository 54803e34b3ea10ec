/**
 * Kills roles at random moments under load and counts every message by its own id: accepted = delivered + bounced +
 * queued, after every round. A copy too many is right only where a kill took an agent, or qmgr, between a delivery and
 * the commit of its outcome; all copies then have the same queue id, and there are no more of them than were under way.
 */

import { maildropDirectory } from "../../shared/layout.ts";
import { ID_HEADER, load } from "../support/load.ts";
import { submit } from "../support/maildrop.ts";
import { Random } from "../support/random.ts";
import { pause } from "../support/waiting.ts";
import { AUTHOR, REFUSED, Scene } from "./scene.ts";

export interface CrashOptions {
  readonly rounds: number;
  /** The same seed kills the same victims after as many messages. */
  readonly seed: number;
  /** Messages of each round: relayed, local, refused by the server, submitted. */
  readonly messages: number;
  readonly report?: (line: string) => void;
}

export interface Count {
  readonly accepted: number;
  readonly delivered: number;
  readonly bounced: number;
  readonly queued: number;
  /** Copies too many whose cause is a kill between a delivery and the commit of its outcome. */
  readonly duplicates: number;
  /** The most of them for one kill. */
  readonly mostDuplicates: number;
  /** Copies too many without that excuse: the message's id and what was killed; and kills with too many. */
  readonly doubled: string[];
  /** Ids that were accepted and are nowhere. */
  readonly lost: string[];
  /** Ids that arrived with other bytes than were sent. */
  readonly damaged: string[];
  /** Rounds in which each victim was killed. */
  readonly kills: Readonly<Record<string, number>>;
}

/** In shuffled turns, so that each has its share. */
const VICTIMS = [
  "smtpd",
  "cleanup",
  "rewrite",
  "qmgr",
  "smtp",
  "virtual",
  "bounce",
  "pickup",
  "dns",
  "anvil",
  "showq",
  "postlogd",
  "supervisor",
  "everything",
] as const;
type Victim = typeof VICTIMS[number];

/** One round's, and the copies too many that it is the excuse for. */
interface Kill {
  readonly round: number;
  readonly victim: Victim;
  copies: number;
}

/** Whose death may lose an outcome. */
const KNOWS_OUTCOMES: ReadonlySet<Victim> = new Set(
  ["qmgr", "smtp", "virtual", "supervisor", "everything"],
);
/** Within this the mail of a round mostly arrives; what does not must be in the queue. */
const SETTLE_MS = 4000;
const LAST_SETTLE_MS = 60_000;
/** A role that the round's mail needs starts within this. */
const START_MS = 10_000;
const LOOK_MS = 50;
const SESSIONS = 8;
const LENGTH = 4096;
/** A middling message's content is in a segment, the body of a large one in a file of its own. */
const MIDDLING_LENGTH = 100_000, LARGE_LENGTH = 400_000;
/** Of a hundred messages so many are local, refused, submitted, middling and large; the others are relayed. */
const SHARES = { local: 30, refused: 10, submitted: 5, middling: 15, large: 5 };

/** Deliveries to one destination at a time; each message has one recipient. */
const CONCURRENCY = 5;
/** The server that is relayed to, the first user's mailbox and the author's. */
const DESTINATIONS = 3;
/** A kill takes the outcomes of what is being delivered, and of what was delivered and waits for the next commit. */
const MOST_UNDER_WAY = 2 * CONCURRENCY * DESTINATIONS;

const MAIN = [
  // Has anvil count the clients, though they are of this host.
  "smtpd_client_event_limit_exceptions =",
  "smtpd_client_connection_count_limit = 1000",
  `default_destination_concurrency_limit = ${CONCURRENCY}`,
].join("\n");

/** Runs the rounds on a system of their own. */
export async function crashRounds(options: CrashOptions): Promise<Count> {
  await using scene = await Scene.start({ log: true, main: MAIN });
  const run = new Run(scene, options);
  for (let round = 0; round < options.rounds; round++) await run.round(round);
  return await run.end();
}

class Run {
  #random: Random;
  #deck: Victim[] = [];
  /** Every accepted id, with the kills of its round and the next. */
  #accepted = new Map<string, Kill[]>();
  /** Accepted, and not yet seen anywhere but in the queue. */
  #open = new Set<string>();
  #before: string[] = [];
  #lost: string[] = [];
  #kills: Record<string, number> = Object.fromEntries(VICTIMS.map((each) => [each, 0]));

  constructor(readonly scene: Scene, readonly options: CrashOptions) {
    this.#random = new Random(options.seed);
  }

  async round(round: number): Promise<void> {
    const victim = this.#next();
    const moment = 1 + this.#random.below(this.options.messages * 0.7);
    let count = 0, killed: Promise<void> | undefined;
    const accepted = () => {
      if (++count === moment) killed = this.#kill(victim);
    };
    const ids = await this.#load(round, accepted);
    killed ??= this.#kill(victim);
    await killed;
    const kill = { round: round + 1, victim, copies: 0 };
    for (const id of this.#before) this.#accepted.get(id)!.push(kill);
    for (const id of ids) {
      this.#accepted.set(id, [kill]);
      this.#open.add(id);
    }
    this.#before = ids;
    await this.#settle(SETTLE_MS);
    const { report, rounds } = this.options;
    report?.(
      `round ${
        round + 1
      } of ${rounds}: ${victim} killed after ${moment}, ${ids.length} accepted, ` +
        `${this.#open.size} queued, ${this.#lost.length} lost`,
    );
  }

  async end(): Promise<Count> {
    await this.#settle(LAST_SETTLE_MS);
    const { delivered, reported } = this.scene;
    const doubled = this.#excuse();
    const kills = new Set([...this.#accepted.values()].flat());
    for (const { round, victim, copies } of kills) {
      if (copies <= MOST_UNDER_WAY) continue;
      doubled.unshift(
        `round ${round}, ${victim} killed: ${copies} copies, of at most ${MOST_UNDER_WAY} under way`,
      );
    }
    const duplicates = [...kills].map(({ copies }) => copies);
    const ids = [...this.#accepted.keys()];
    return {
      accepted: ids.length,
      delivered: ids.filter((id) => delivered.has(id)).length,
      bounced: ids.filter((id) => !delivered.has(id) && reported.has(id)).length,
      queued: this.#open.size,
      duplicates: duplicates.reduce((sum, each) => sum + each, 0),
      mostDuplicates: Math.max(0, ...duplicates),
      doubled,
      lost: this.#lost,
      damaged: this.scene.damaged,
      kills: this.#kills,
    };
  }

  /** Lays copies too many to the kills that may be their cause; answers those that have none. */
  #excuse(): string[] {
    const { delivered, reported } = this.scene;
    const doubled: string[] = [];
    for (const [id, kills] of this.#accepted) {
      const [cause] = kills.filter(({ victim }) => KNOWS_OUTCOMES.has(victim))
        .toSorted((a, b) => a.copies - b.copies);
      for (const copies of [delivered.get(id) ?? [], reported.get(id) ?? []]) {
        if (copies.length < 2) continue;
        if (cause && new Set(copies).size === 1) cause.copies += copies.length - 1;
        else {
          const victims = kills.map(({ victim }) => victim);
          doubled.push(`${id}: ${copies.join(", ")} (${victims.join(", ")})`);
        }
      }
    }
    return doubled;
  }

  #next(): Victim {
    if (!this.#deck.length) this.#deck = [...VICTIMS];
    return this.#deck.splice(this.#random.below(this.#deck.length), 1)[0]!;
  }

  async #kill(victim: Victim): Promise<void> {
    const { system } = this.scene;
    if (victim === "supervisor") await system.crash();
    else if (victim === "everything") {
      await system.killEverything();
      await system.start();
    } else {
      // What starts on request may not be there yet.
      const end = Date.now() + START_MS;
      let killed = 0;
      while (!(killed = system.kill(victim)) && Date.now() < end) await pause(LOOK_MS);
      if (!killed) return;
    }
    this.#kills[victim]!++;
  }

  /** One round's mail; the ids that were accepted. */
  async #load(round: number, accepted: () => void): Promise<string[]> {
    const { messages } = this.options, { system } = this.scene;
    const part = (share: number) => Math.max(1, Math.round(messages * share / 100));
    const { local, refused, submitted, middling, large } = SHARES;
    const relayed = 100 - local - refused - submitted - middling - large;
    const kinds = [
      { kind: "local", to: "u1@box.test", messages: part(local), length: LENGTH },
      { kind: "refused", to: REFUSED, messages: part(refused), length: LENGTH },
      { kind: "middling", to: "u1@sink.test", messages: part(middling), length: MIDDLING_LENGTH },
      { kind: "large", to: "u1@sink.test", messages: part(large), length: LARGE_LENGTH },
      { kind: "relayed", to: "u1@sink.test", messages: part(relayed), length: LENGTH },
    ];
    const results = await Promise.all([
      this.#submit(`r${round}-submitted`, part(submitted), accepted),
      ...kinds.map(async ({ kind, to, messages, length }) => {
        const result = await load({
          port: system.port,
          sessions: SESSIONS,
          messages,
          length,
          keep: round % 3 !== 0,
          to,
          from: AUTHOR,
          prefix: `r${round}-${kind}`,
          tolerant: true,
          accepted,
        });
        return result.accepted;
      }),
    ]);
    return results.flat();
  }

  /** Leaves mail in the maildrop as sendmail does; what is there is accepted. */
  async #submit(prefix: string, messages: number, accepted: () => void): Promise<string[]> {
    const ids: string[] = [];
    for (let i = 0; i < messages; i++) {
      const id = `${prefix}-${i}`;
      submit(
        maildropDirectory(this.scene.system.queue),
        { sender: AUTHOR, recipients: ["u1@sink.test"] },
        `${ID_HEADER}: ${id}\r\n\r\nhello\r\n`,
      );
      ids.push(id);
      accepted();
      await pause(LOOK_MS);
    }
    // pickup hears of it as from sendmail -q: without, it looks once a minute.
    await this.scene.wakePickup();
    return ids;
  }

  /** Waits for what is open; what has not come then must be in the queue, or it is lost. */
  async #settle(milliseconds: number): Promise<void> {
    const { scene } = this;
    const end = Date.now() + milliseconds;
    for (;;) {
      scene.look();
      for (const id of this.#open) if (this.#arrived(id)) this.#open.delete(id);
      if (!this.#open.size || Date.now() > end) break;
      await pause(LOOK_MS);
      if (Date.now() + LOOK_MS * 2 > end - milliseconds / 2) await scene.wakePickup();
    }
    if (!this.#open.size) return;
    const waiting = await scene.waiting();
    scene.look();
    for (const id of this.#open) {
      if (this.#arrived(id)) this.#open.delete(id);
      else if (!waiting.has(id)) {
        this.#lost.push(id);
        this.#open.delete(id);
      }
    }
  }

  #arrived(id: string): boolean {
    return this.scene.delivered.has(id) || this.scene.reported.has(id);
  }
}
