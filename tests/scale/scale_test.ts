import { assert } from "@std/assert";
import { backlog } from "./backlog.ts";
import { type Figure, isKept, isTiming, lineOf, type Report } from "./figures.ts";
import { idleSystem } from "./idle_system.ts";
import { largeMessages } from "./large_messages.ts";
import { idleSessions } from "./sessions.ts";
import { SHORT } from "./sizes.ts";

/** Runs a scale test at its short size; how fast this machine is just now is not judged. */
async function keepsItsLimits(run: (report: Report) => Promise<void>): Promise<void> {
  const figures: Figure[] = [];
  await run((figure) => figures.push(figure));
  const broken = figures.filter((figure) => !isTiming(figure) && !isKept(figure));
  assert(figures.length > 0 && broken.length === 0, broken.map(lineOf).join("\n"));
}

const { sessions, large, backlog: queue } = SHORT;

Deno.test("the idle system stays below its memory limit", () =>
  keepsItsLimits((report) => idleSystem(report, () => {})));

Deno.test(`${sessions.sessions} idle sessions are answered, also while mail flows`, () =>
  keepsItsLimits((report) => idleSessions(sessions, report)));

Deno.test(`${large.messages} large messages at a time arrive with every byte`, () =>
  keepsItsLimits((report) => largeMessages(large, report)));

Deno.test(`a queue of ${queue.deferred} deferred messages is listed whole and lets new mail pass`, () =>
  keepsItsLimits((report) => backlog(queue, report)));
