/** A queue full of deferred mail: how soon mail flows after a start, how fast, and what it costs to look at the queue. */

import { databaseDirectory } from "../../shared/layout.ts";
import { load } from "../support/load.ts";
import { run } from "../support/peers.ts";
import { peakKib, PeakMemory } from "../support/processes.ts";
import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";
import { pause } from "../support/waiting.ts";
import { megabytes, type Report } from "./figures.ts";
import { DEAD, generate } from "./generate.ts";

const FIRST_DELIVERY_SECONDS = 10;
const RATE_PART = 0.7;
const FIRST_LINE_SECONDS = 1;
const LISTING_MB = 200;
/** With `qmgr_message_active_limit` messages in memory. */
const QMGR_MB = 500;
const WARM_UP = 500;
const ARRIVE_MS = 120_000;
const NOBODY = "65534:65534";

export interface BacklogOptions {
  readonly deferred: number;
  /** Of these, so many are due when the system starts. */
  readonly due: number;
  /** New messages, of which the rate is measured. */
  readonly messages: number;
}

export async function backlog(options: BacklogOptions, report: Report): Promise<void> {
  const { deferred, due, messages } = options;
  const name = `${deferred} deferred`;
  await using fresh = await Sink.start({ forget: true });
  await using retried = await Sink.start({ forget: true });
  await using system = await System.start({ main: destinations(fresh.port, retried.port) });
  await rate(system, fresh, WARM_UP);
  const empty = await rate(system, fresh, messages);
  await system.stop();

  const directory = databaseDirectory(system.queue);
  const began = performance.now();
  const what = { deferred, due, alive: "u1@alive.test", dead: "dead.test" };
  const alive = await generate(directory, what);
  if (Deno.uid() === 0) await run("chown", ["-R", NOBODY, directory]);
  report({ name: `${name}: written in`, value: since(began), unit: "s" });

  const start = performance.now();
  const [ready] = await Promise.all([
    system.start().then(() => since(start)),
    system.until(() => retried.count > 0, ARRIVE_MS),
  ]);
  const first = { unit: "s", most: FIRST_DELIVERY_SECONDS };
  report({ name: `${name}: start to first delivery`, value: since(start), ...first });
  report({ name: `${name}: start to ready`, value: ready, unit: "s" });
  const peaks = new PeakMemory(system.configuration);
  const during = await rate(system, fresh, messages);
  const busy = retried.count < alive ? "while due mail is retried" : "after due mail was retried";
  report({ name: `${name}: new mail ${busy}`, value: during / empty, unit: "times empty" });
  await system.until(() => retried.count >= alive, ARRIVE_MS);
  await pause(1000);
  const after = await rate(system, fresh, messages);
  report({
    name: `${name}: new mail (${after.toFixed(0)}/s, empty queue ${empty.toFixed(0)}/s)`,
    value: after / empty,
    unit: "times empty",
    least: RATE_PART,
  });
  await lists(system, "-p", deferred - alive, name, report);
  await lists(system, "-j", deferred - alive, name, report);
  peaks.stop();
  const peakOf = (role: string) => megabytes(peaks.byRole.get(role) ?? NaN);
  report({ name: `${name}: peak of qmgr`, value: peakOf("qmgr"), unit: "MB", most: QMGR_MB });
  report({ name: `${name}: peak of showq`, value: peakOf("showq"), unit: "MB", most: LISTING_MB });
}

/** sink.test and alive.test are there; at port 9 of the others nobody listens. */
function destinations(fresh: number, retried: number): string {
  const routes = [
    `{sink.test=smtp:[127.0.0.1]:${fresh}}`,
    `{alive.test=smtp:[127.0.0.1]:${retried}}`,
  ];
  for (let n = 0; n < DEAD; n++) routes.push(`{d${n}.dead.test=smtp:[127.0.2.${n}]:9}`);
  return `transport_maps = inline:{ ${routes.join(", ")} }`;
}

/** Messages a second, from the first connection until all have arrived. */
async function rate(system: System, sink: Sink, messages: number): Promise<number> {
  const before = sink.count, began = performance.now();
  const { port } = system;
  await load({ port, sessions: 20, messages, length: 4096, keep: true, to: "u1@sink.test" });
  await system.until(() => sink.count - before >= messages, ARRIVE_MS);
  return messages / since(began);
}

/** Lists the whole queue: when its first line is there, that all of it comes, and what the command costs. */
async function lists(
  system: System,
  how: "-p" | "-j",
  least: number,
  name: string,
  report: Report,
): Promise<void> {
  const began = performance.now();
  const child = system.spawn(["postqueue", how]);
  let first = NaN, peak = 0, messages = 0, last = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (Number.isNaN(first)) first = since(began);
    peak = Math.max(peak, peakKib(child.pid));
    const lines = (last + text).split("\n");
    last = lines.pop()!;
    for (const line of lines) if (how === "-j" ? line : line.includes("@src.test")) messages++;
  }
  const { code } = await child.status;
  if (code !== 0) throw new Error(`postqueue ${how}: exit ${code}`);
  const command = `${name}: postqueue ${how}`;
  report({ name: `${command}, first line`, value: first, unit: "s", most: FIRST_LINE_SECONDS });
  report({ name: `${command}, all of it`, value: since(began), unit: "s" });
  report({ name: `${command}, messages`, value: messages, unit: "messages", least });
  const value = megabytes(peak);
  report({ name: `${command}, peak memory`, value, unit: "MB", most: LISTING_MB });
}

function since(began: number): number {
  return (performance.now() - began) / 1000;
}
