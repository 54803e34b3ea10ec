/**
 * The `bench` task: Postern and Postfix on the same work, in turn, on this machine.
 *
 *   deno task bench [--cases "relay20 maildir20"] [--rounds N] [--no-postfix] [--messages N]
 *
 * Prints a line for each case and round, then medians over the rounds and their ratios.
 */

import { parseArgs } from "@std/cli";
import { find } from "../support/peers.ts";
import { freePort } from "../support/system.ts";
import { type Case, cases, type Figures } from "./cases.ts";
import { measure } from "./measure.ts";
import { makePlaces, noYardstick, preparePostfix, startPostern } from "./servers.ts";

const flags = parseArgs(Deno.args, {
  string: ["cases", "rounds", "messages"],
  boolean: ["no-postfix"],
  default: { rounds: "3" },
  unknown: usage,
});
const wanted: string[] | undefined = flags.cases?.split(/[\s,]+/).filter(Boolean);
const chosen = cases.filter(({ name }) => !wanted || wanted.includes(name))
  .map((each) => flags.messages ? { ...each, messages: Number(flags.messages) } : each);
const rounds = Number(flags.rounds);
if (wanted?.some((name) => !cases.some((each) => each.name === name)) || !(rounds >= 1)) usage();

const without = flags["no-postfix"] ? "--no-postfix" : noYardstick();
if (without) console.log(`without the yardstick: ${without}`);
const tools = find("smtp-source") ? "smtp-source and smtp-sink" : "this project's own";
console.log(`load generator and sink: ${tools}`);

const figures = new Map<string, Figures[]>();
await measureAll();
summary();

async function measureAll(): Promise<void> {
  await using end = new AsyncDisposableStack();
  const sinkPort = await freePort();
  const places = await makePlaces();
  end.defer(() => Deno.remove(places, { recursive: true }));
  const startPostfix = without ? undefined : await preparePostfix(sinkPort, `${places}/postfix`);
  const postern = await startPostern(sinkPort);
  end.defer(() => postern.stop());
  for (let round = 1; round <= rounds; round++) {
    for (const what of chosen) {
      note(what, "postern", await measure(postern, what, sinkPort));
      if (!startPostfix) continue;
      const postfix = await startPostfix();
      try {
        note(what, "postfix", await measure(postfix, what, sinkPort));
      } finally {
        await postfix.stop();
      }
    }
  }
}

function note(what: Case, server: string, got: Figures): void {
  const key = `${what.name} ${server}`;
  figures.set(key, [...figures.get(key) ?? [], got]);
  console.log(`${what.name.padEnd(13)} ${server}  ${columns(got)}`);
}

function columns(got: Figures): string {
  return [
    `${got.messagesPerSecond.toFixed(0).padStart(6)} messages/s`,
    `${got.cpuMsPerMessage.toFixed(3).padStart(7)} ms CPU each`,
    `p50 ${got.p50.toFixed(1).padStart(6)} ms`,
    `p99 ${got.p99.toFixed(1).padStart(6)} ms`,
  ].join("  ");
}

/** The median of each figure over the rounds. */
function median(name: string, server: string): Figures | undefined {
  const all = figures.get(`${name} ${server}`);
  if (!all) return undefined;
  const of = (key: keyof Figures) =>
    all.map((each) => each[key]).toSorted((a, b) => a - b)[Math.floor((all.length - 1) / 2)]!;
  return {
    messagesPerSecond: of("messagesPerSecond"),
    cpuMsPerMessage: of("cpuMsPerMessage"),
    p50: of("p50"),
    p99: of("p99"),
  };
}

function summary(): void {
  console.log(`\nmedians of ${rounds} round(s)`);
  for (const { name } of chosen) {
    const ours = median(name, "postern")!, theirs = median(name, "postfix");
    console.log(`${name.padEnd(13)} postern  ${columns(ours)}`);
    if (!theirs) continue;
    console.log(`${"".padEnd(13)} postfix  ${columns(theirs)}`);
    const speed = (ours.messagesPerSecond / theirs.messagesPerSecond).toFixed(2);
    const cpu = (ours.cpuMsPerMessage / theirs.cpuMsPerMessage).toFixed(2);
    console.log(`${"".padEnd(13)} ratio    ${speed} times the messages/s, ${cpu} of the CPU each`);
  }
}

function usage(): never {
  const names = cases.map(({ name }) => name).join(" ");
  console.error(
    `usage: deno task bench [--cases "${names}"] [--rounds N] [--messages N] [--no-postfix]`,
  );
  Deno.exit(64);
}
