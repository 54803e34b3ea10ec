/** Mixed mail and trouble for minutes on end: does anything grow that should not? */

import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";
import { type Counts, sendAll } from "./mail.ts";
import { makeTrouble } from "./trouble.ts";
import { filesBelow, type Growth, Watch } from "./watch.ts";

/** Mail that cannot be delivered is given up so soon: what waits in the queue does not grow either. */
const LIFETIME_SECONDS = 20;
const EMPTY_MS = 120_000;
/** Delivered mail is taken out of the Maildirs as users would. */
const FETCH_MS = 1000;
/** A process's first minutes do not count, or a part of a short run. */
const WARM_UP_MINUTES = 4, WARM_UP_PART = 0.25;
/** Parts of the run from one reload or kill to the next; after the last of them processes grow old for the rest of it. */
const RELOAD_PART = 0.2, KILL_PART = 0.05, UNREST_PART = 0.5;

export interface Soaked {
  readonly growth: readonly Growth[];
  readonly mail: Counts;
  readonly trouble: Record<string, number>;
  /** Files in the queue, and half-written mail in Maildirs, when all was delivered. */
  readonly left: readonly string[];
}

export async function soak(minutes: number): Promise<Soaked> {
  const bounce = (line: string) =>
    /^RCPT TO:.*@bounce\.test/i.test(line) ? "550 5.1.1 no such user" : undefined;
  await using sink = await Sink.start({ forget: true, answer: bounce });
  await using system = await System.start({ main: settings(sink.port) });
  const seconds = minutes * 60;
  const signal = AbortSignal.timeout(seconds * 1000);
  const watch = new Watch(system, Math.min(WARM_UP_MINUTES, minutes * WARM_UP_PART));
  const fetching = setInterval(() => fetchMail(system), FETCH_MS);
  try {
    const [mail, trouble] = await Promise.all([
      sendAll(system, signal),
      makeTrouble(system, {
        reloadSeconds: seconds * RELOAD_PART,
        killSeconds: seconds * KILL_PART,
        unrestSeconds: seconds * UNREST_PART,
        commandSeconds: 10,
      }, signal),
    ]);
    watch.stop();
    await system.untilEmpty(EMPTY_MS);
    fetchMail(system);
    return { growth: watch.growth(), mail, trouble, left: leftovers(system) };
  } finally {
    watch.stop();
    clearInterval(fetching);
  }
}

function settings(sinkPort: number): string {
  const sink = `smtp:[127.0.0.1]:${sinkPort}`;
  return [
    `transport_maps = inline:{ {sink.test=${sink}}, {bounce.test=${sink}}, {dead.test=smtp:[127.0.0.1]:9} }`,
    "queue_run_delay = 5s",
    "minimal_backoff_time = 2s",
    "maximal_backoff_time = 5s",
    `maximal_queue_lifetime = ${LIFETIME_SECONDS}s`,
    `bounce_queue_lifetime = ${LIFETIME_SECONDS}s`,
    "service_throttle_time = 1s",
    "smtpd_client_connection_count_limit = 0",
  ].join("\n");
}

function maildirs(system: System, part: string): string[] {
  return ["u1", "u2"].map((user) => `${system.mail}/${user}/${part}`);
}

function fetchMail(system: System): void {
  for (const directory of maildirs(system, "new")) {
    try {
      for (const { name } of Deno.readDirSync(directory)) Deno.removeSync(`${directory}/${name}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function leftovers(system: System): string[] {
  const places = [`${system.queue}/queue/content`, `${system.queue}/maildrop`];
  // qmgr keeps a few files for contents to come.
  return [...places, ...maildirs(system, "tmp")].flatMap(filesBelow)
    .filter((path) => !/\/spare-[^/]*$/.test(path));
}
