/**
 * Kills roles under load and counts every message: accepted = delivered + bounced + still queued, whatever dies when.
 * Losses are a failure; duplicates are allowed (at least once), counted and shown.
 */

import { ID_HEADER, load } from "../support/load.ts";
import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";

export interface CrashOptions {
  readonly rounds: number;
  /** Load of each round. */
  readonly messages: number;
  readonly sessions: number;
  /** How long the queue may take to empty at the end. */
  readonly settleSeconds: number;
  readonly report?: (line: string) => void;
}

export interface Count {
  readonly accepted: number;
  readonly delivered: number;
  readonly queued: number;
  readonly duplicates: number;
  readonly kills: Readonly<Record<string, number>>;
  /** Ids that got 250 and are nowhere. */
  readonly lost: string[];
}

/** What this load keeps busy; in turn each is killed while it works, and the supervisor with all of them. */
const BUSY = ["smtpd", "cleanup", "rewrite", "qmgr", "smtp", "virtual", "supervisor"];
/** Retries come soon, so that mail that a crash deferred arrives within the test. */
const QUICK = [
  "minimal_backoff_time = 1s",
  "maximal_backoff_time = 2s",
  "queue_run_delay = 1s",
  "service_throttle_time = 1s",
].join("\n");

/** Runs the rounds on a system of their own. */
export async function crashRounds(options: CrashOptions): Promise<Count> {
  await using sink = await Sink.start();
  await using system = await System.start({
    sink: `smtp:[127.0.0.1]:${sink.port}`,
    main: QUICK,
  });
  const accepted: string[] = [];
  const kills: Record<string, number> = {};
  for (let round = 0; round < options.rounds; round++) {
    const role = BUSY[round % BUSY.length]!;
    // Half of the rounds relay, half deliver to a Maildir; virtual and smtp only see their own.
    const local = role === "virtual" || (role !== "smtp" && round % 2 === 1);
    const moment = 1 + Math.floor(Math.random() * options.messages / 2);
    let killed = 0, restarted = Promise.resolve();
    const kill = () => {
      if (role !== "supervisor") return system.kill(role);
      restarted = system.crash();
      return 1;
    };
    const { accepted: ids, refused } = await load({
      port: system.port,
      sessions: options.sessions,
      messages: options.messages,
      length: 4096,
      keep: round % 3 !== 0,
      to: local ? "u1@box.test" : "u1@sink.test",
      prefix: `r${round}`,
      tolerant: true,
      accepted: (count) => {
        if (count >= moment && killed === 0) killed = kill();
      },
    });
    await restarted;
    accepted.push(...ids);
    kills[role] = (kills[role] ?? 0) + killed;
    options.report?.(
      `round ${round + 1}: killed ${role} after ${moment}, ${ids.length} accepted, ${refused} not`,
    );
  }
  return { ...await count(system, sink, accepted, options), kills };
}

async function count(
  system: System,
  sink: Sink,
  accepted: readonly string[],
  options: CrashOptions,
): Promise<Omit<Count, "kills">> {
  const counts = new Map<string, number>();
  const take = (text: string) => {
    const id = idOf(text);
    if (id) counts.set(id, (counts.get(id) ?? 0) + 1);
  };
  const seen = new Set<string>();
  const directory = `${system.mail}/u1/new`;
  const arrived = () => {
    for (const { content } of sink.received.splice(0)) take(content);
    for (const { name } of Deno.readDirSync(directory)) {
      if (!seen.has(name)) take(Deno.readTextFileSync(`${directory}/${name}`));
      seen.add(name);
    }
    return counts;
  };
  const end = Date.now() + options.settleSeconds * 1000;
  let here = arrived();
  while (accepted.some((id) => !here.has(id)) && Date.now() < end) {
    await pause(250);
    here = arrived();
  }
  const missing = accepted.filter((id) => !here.has(id));
  const queued = missing.length ? await queuedIds(system) : new Set<string>();
  let extra = 0;
  for (const times of here.values()) extra += times - 1;
  return {
    accepted: accepted.length,
    delivered: accepted.length - missing.length,
    queued: missing.filter((id) => queued.has(id)).length,
    duplicates: extra,
    lost: missing.filter((id) => !queued.has(id)),
  };
}

/** Ids of the messages that are still in the queue. */
async function queuedIds(system: System): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const { queue_id } of await system.listing()) {
    const id = idOf(await system.command(["postcat", "-q", queue_id]));
    if (id) ids.add(id);
  }
  return ids;
}

function idOf(text: string): string | undefined {
  return new RegExp(`^${ID_HEADER}: (\\S+)`, "m").exec(text)?.[1];
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
