/** One round of one case on one server: from the first connection until the last message is at its destination. */

import { load, percentile } from "../support/load.ts";
import { isThere } from "../../policies/bwrap.ts";
import { CountingSink, find, run } from "../support/peers.ts";
import { Sink } from "../support/sink.ts";
import { namesIn } from "../support/files.ts";
import type { Case, Figures, Server } from "./cases.ts";
import { pause } from "../support/waiting.ts";

/** Messages of the pass that measures latency, as a part of those that measure speed. */
const LATENCY_PART = 0.2;
const ARRIVE_MS = 60_000;
/** Between two looks at what has arrived, for each message that is missing. */
const LOOK_MS_EACH = 0.1;

/** Where messages end up, and how many are there. */
interface Destination extends AsyncDisposable {
  count(): number;
}

/** Measures speed and processor time in one pass, latency in a second one. */
export async function measure(server: Server, what: Case, sinkPort: number): Promise<Figures> {
  const speed = await passed(server, what, sinkPort, what.messages, () => send(server, what));
  const messages = Math.ceil(what.messages * LATENCY_PART);
  const latencies: number[] = [];
  await passed(server, what, sinkPort, messages, async () => {
    latencies.push(...(await load({ ...loadOf(server, what), messages })).latencies);
  });
  return {
    messagesPerSecond: what.messages / speed.seconds,
    cpuMsPerMessage: speed.cpuMs / what.messages,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  };
}

async function passed(
  server: Server,
  what: Case,
  sinkPort: number,
  messages: number,
  send: () => Promise<void>,
) {
  await using destination = what.relay ? await sink(sinkPort) : maildir(server.maildir);
  const cpu = cpuMs(), began = performance.now();
  await send();
  const end = performance.now() + ARRIVE_MS;
  for (let missing; (missing = messages - destination.count()) > 0;) {
    if (performance.now() > end) {
      throw new Error(`${server.name} ${what.name}: ${missing} of ${messages} did not arrive`);
    }
    // To look is work, too: seldom while much is missing.
    await pause(Math.min(Math.max(missing * LOOK_MS_EACH, 5), 100));
  }
  return { seconds: (performance.now() - began) / 1000, cpuMs: cpuMs() - cpu };
}

/** Sends by smtp-source where it is installed. */
async function send(server: Server, what: Case): Promise<void> {
  const source = find("smtp-source");
  if (!source) {
    await load(loadOf(server, what));
    return;
  }
  await run(source, [
    ...(what.keep ? ["-d"] : []),
    ...["-s", `${what.sessions}`, "-m", `${what.messages}`, "-l", `${what.length}`],
    ...["-f", "s@src.test", "-t", recipient(what), `127.0.0.1:${server.port}`],
  ]);
}

function loadOf(server: Server, what: Case) {
  const { sessions, messages, length, keep } = what;
  return { port: server.port, sessions, messages, length, keep, to: recipient(what) };
}

function recipient(what: Case): string {
  return what.relay ? "u1@sink.test" : "u1@box.test";
}

/** smtp-sink where it is installed, else our own in this process. */
async function sink(port: number): Promise<Destination> {
  const program = find("smtp-sink");
  if (!program) {
    const own = await Sink.start({ port, forget: true });
    return { count: () => own.count, [Symbol.asyncDispose]: () => own[Symbol.asyncDispose]() };
  }
  const counting = new CountingSink(program, port, 1000);
  await pause(400);
  return {
    count: () => counting.count,
    [Symbol.asyncDispose]: () => counting[Symbol.asyncDispose](),
  };
}

/**
 * What came before is moved aside, so that to count is to list this pass's files alone. It is not deleted: ext4 without a
 * journal looks at each inode that was deleted within the last minutes whenever it makes a file nearby, which would be
 * most of what is measured.
 */
function maildir(path: string): Destination {
  const directory = `${path}/new`;
  if (isThere(directory)) {
    const { uid, gid, mode } = Deno.statSync(directory);
    Deno.renameSync(directory, Deno.makeTempDirSync({ dir: path, prefix: "before-" }));
    Deno.mkdirSync(directory);
    Deno.chmodSync(directory, mode! & 0o777);
    Deno.chownSync(directory, uid, gid);
  }
  return {
    count: () => namesIn(directory).length,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Processor time of the whole machine: user, nice, system, and the interrupts'. */
function cpuMs(): number {
  const fields = Deno.readTextFileSync("/proc/stat").split("\n")[0]!.split(/\s+/).map(Number);
  const ticks = fields[1]! + fields[2]! + fields[3]! + fields[6]! + fields[7]!;
  return ticks * 10;
}
