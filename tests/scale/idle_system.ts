/** What the system costs when it does nothing: how fast it is there, and the memory of all its processes. */

import { cost, processTree } from "../support/processes.ts";
import { System } from "../support/system.ts";
import { pause } from "../support/waiting.ts";
import { megabytes, type Report } from "./figures.ts";

const START_SECONDS = 2;
const SUM_MB = 300;
/** What starting left behind is collected by then. */
const SETTLE_MS = 5000;

/** Starts the system as it ships; `table` hears a line for each role. */
export async function idleSystem(report: Report, table: (line: string) => void): Promise<void> {
  const began = performance.now();
  await using system = await System.start();
  report({
    name: "idle system: start to ready",
    value: (performance.now() - began) / 1000,
    unit: "s",
    most: START_SECONDS,
  });
  await pause(SETTLE_MS);
  const roles = new Map<string, { processes: number; pss: number; rss: number; open: number }>();
  let sum = 0;
  for (const { pid, role } of processTree(system.configuration)) {
    const held = cost(pid);
    if (!held) continue;
    const all = roles.get(role) ?? { processes: 0, pss: 0, rss: 0, open: 0 };
    all.processes++;
    all.pss += held.pssKib;
    all.rss += held.rssKib;
    all.open += held.descriptors;
    roles.set(role, all);
    sum += held.pssKib;
  }
  table("| Role | Processes | PSS MB | RSS MB | Descriptors |");
  table("|---|---|---|---|---|");
  for (const [role, { processes, pss, rss, open }] of roles) {
    const [shared, mapped] = [pss, rss].map((kib) => megabytes(kib).toFixed(1));
    table(`| ${role} | ${processes} | ${shared} | ${mapped} | ${open} |`);
  }
  report({ name: "idle system: sum of PSS", value: megabytes(sum), unit: "MB", most: SUM_MB });
}
