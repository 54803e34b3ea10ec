/**
 * The `scale` task: what the system bears, each figure with its limit. Exit code 1 when one is not kept.
 *
 *   deno task scale [--only "idle sessions large backlog"] [--short]
 */

import { parseArgs } from "@std/cli";
import { backlog } from "./backlog.ts";
import { type Figure, isKept, lineOf } from "./figures.ts";
import { idleSystem } from "./idle_system.ts";
import { largeMessages } from "./large_messages.ts";
import { idleSessions } from "./sessions.ts";
import { FULL, SHORT } from "./sizes.ts";

const broken: Figure[] = [];
const report = (figure: Figure) => {
  console.log(lineOf(figure));
  if (!isKept(figure)) broken.push(figure);
};

const tests: Record<string, () => Promise<void>> = {
  idle: () => idleSystem(report, (line) => console.log(line)),
  sessions: () => idleSessions(sizes.sessions, report),
  large: () => largeMessages(sizes.large, report),
  backlog: () => backlog(sizes.backlog, report),
};
const flags = parseArgs(Deno.args, { string: ["only"], boolean: ["short"], unknown: usage });
const sizes = flags.short ? SHORT : FULL;
const wanted: string[] = flags.only?.split(/[\s,]+/).filter(Boolean) ?? Object.keys(tests);
if (wanted.some((name) => !Object.hasOwn(tests, name))) usage();

let failed = 0;
for (const name of wanted) {
  try {
    await tests[name]!();
  } catch (error) {
    failed++;
    console.log(`${name}: FAILED: ${error instanceof Error ? error.stack : error}`);
  }
}
console.log(`${broken.length + failed} over their limits`);
Deno.exit(broken.length + failed ? 1 : 0);

function usage(): never {
  console.error(`usage: deno task scale [--only "${Object.keys(tests).join(" ")}"] [--short]`);
  Deno.exit(64);
}
