/** Thousands of clients that are connected and say nothing, alone and while mail flows past them. */

import { load, percentile } from "../support/load.ts";
import { cost, descriptorLimit, processTree } from "../support/processes.ts";
import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";
import { pause } from "../support/waiting.ts";
import { megabytes, type Report } from "./figures.ts";
import { IdleClient } from "./idle_client.ts";

const SMTPD_MB = 500;
/** Part of the wanted rate that must be reached. */
const RATE_PART = 0.95;
/** Sessions from one address: below `smtpd_client_connection_count_limit`, and enough addresses for every port. */
const SESSIONS_PER_ADDRESS = 40;
/** Clients that connect at the same time: below the listener's backlog. */
const CONNECTING = 100;
/** Descriptors for all that is no session. */
const OTHER_DESCRIPTORS = 500;

export interface SessionsOptions {
  readonly sessions: number;
  readonly messagesPerSecond: number;
  readonly flowSeconds: number;
}

/** Connects all clients, asks each of them something, lets mail flow, and asks each again meanwhile. */
export async function idleSessions(options: SessionsOptions, report: Report): Promise<void> {
  const { sessions } = options;
  if (descriptorLimit() < sessions + OTHER_DESCRIPTORS) {
    throw new Error(
      `${sessions} sessions need more than ${descriptorLimit()} descriptors: ` +
        `run "ulimit -n ${sessions + OTHER_DESCRIPTORS}" first`,
    );
  }
  await using sink = await Sink.start({ forget: true });
  await using system = await System.start({
    sink: `smtp:[127.0.0.1]:${sink.port}`,
    main: [
      `smtpd_session_limit = ${sessions + OTHER_DESCRIPTORS}`,
      // Our own networks are counted as strangers are: anvil has its part in this.
      "smtpd_client_event_limit_exceptions =",
      `smtpd_client_connection_count_limit = ${SESSIONS_PER_ADDRESS + OTHER_DESCRIPTORS}`,
      "initial_destination_concurrency = 20",
    ].join("\n"),
  });
  const memory = () => {
    const smtpd = processTree(system.configuration).find(({ role }) => role === "smtpd");
    return megabytes((smtpd && cost(smtpd.pid)?.rssKib) ?? NaN);
  };
  const before = memory();
  const began = performance.now();
  const clients = await connectAll(system.port, sessions);
  try {
    const seconds = (performance.now() - began) / 1000;
    report({ name: `${sessions} idle sessions: connected in`, value: seconds, unit: "s" });
    await pause(1000);
    const each = (memory() - before) * 1024 / sessions;
    report({ name: `${sessions} idle sessions: memory of each`, value: each, unit: "KiB" });
    const answered = await askAll(clients);
    report(count(`${sessions} idle sessions: answered`, answered.length, sessions));
    report({ name: `${sessions} idle sessions: RSS of smtpd`, ...limit(memory()) });
    await whileMailFlows(system, sink, clients, options, report);
    report({ name: `${sessions} sessions and mail: RSS of smtpd`, ...limit(memory()) });
  } finally {
    for (const client of clients) client.close();
  }
}

async function whileMailFlows(
  system: System,
  sink: Sink,
  clients: readonly IdleClient[],
  { sessions, messagesPerSecond, flowSeconds }: SessionsOptions,
  report: Report,
): Promise<void> {
  const messages = messagesPerSecond * flowSeconds;
  const began = performance.now();
  let flowing = true;
  const flow = load({
    port: system.port,
    sessions: 20,
    messages,
    length: 4096,
    keep: true,
    to: "u1@sink.test",
    perSecond: messagesPerSecond,
  }).finally(() => flowing = false);
  const answered = await askAll(clients, flowSeconds * 1000 / 2);
  const askedWhileFlowing = flowing;
  const { accepted } = await flow;
  const rate = accepted.length / ((performance.now() - began) / 1000);
  await system.until(() => sink.count >= messages, 60_000);
  const name = `${sessions} sessions and mail`;
  const least = messagesPerSecond * RATE_PART;
  report({ name: `${name}: accepted`, value: rate, unit: "messages/s", least });
  report(count(`${name}: answered`, askedWhileFlowing ? answered.length : NaN, sessions));
  report({ name: `${name}: NOOP p99`, value: percentile(answered, 0.99), unit: "ms" });
}

/** 127.1.0.1 and on: from one address alone there would not be ports enough. */
async function connectAll(port: number, count: number): Promise<IdleClient[]> {
  const clients: IdleClient[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(CONNECTING, count) }, async () => {
    while (next < count) {
      const address = Math.floor(next++ / SESSIONS_PER_ADDRESS);
      clients.push(
        await IdleClient.open(port, `127.1.${address >> 8}.${(address & 255) || 255}`),
      );
    }
  }));
  return clients;
}

/** Asks each client's session one question, spread over so many milliseconds; how long the answers took. */
async function askAll(clients: readonly IdleClient[], spreadMs = 0): Promise<number[]> {
  const began = performance.now();
  const took: number[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: CONNECTING }, async () => {
    while (next < clients.length) {
      const n = next++;
      const early = began + n / clients.length * spreadMs - performance.now();
      if (early > 0) await pause(early);
      took.push(await clients[n]!.noop());
    }
  }));
  return took;
}

function limit(value: number) {
  return { value, unit: "MB", most: SMTPD_MB };
}

function count(name: string, value: number, least: number) {
  return { name, value, unit: "sessions", least };
}
