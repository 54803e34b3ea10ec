/** What operators and bad luck do to a running system: reloads, killed roles, queue commands. */

import type { System } from "../support/system.ts";

/** In turn each of them is killed. */
const KILLED = ["smtpd", "cleanup", "rewrite", "qmgr", "smtp", "virtual", "bounce", "pickup"];
const COMMANDS: readonly (readonly string[])[] = [
  ["postqueue", "-p"],
  ["postqueue", "-f"],
  ["postqueue", "-j"],
  ["postqueue", "-s", "dead.test"],
  ["postsuper", "-h", "ALL"],
  ["postsuper", "-H", "ALL"],
  ["postsuper", "-r", "ALL"],
  ["status"],
];

export interface TroublePlan {
  readonly reloadSeconds: number;
  readonly killSeconds: number;
  /** So long there are reloads and kills. */
  readonly unrestSeconds: number;
  readonly commandSeconds: number;
}

/** Makes trouble until `signal` aborts; what was done, how often. */
export async function makeTrouble(
  system: System,
  plan: TroublePlan,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const done = { reloads: 0, kills: 0, commands: 0, "failed commands": 0 };
  const command = async (args: readonly string[]) => {
    try {
      await system.command(args);
      return true;
    } catch {
      // What it asks may just have been killed.
      done["failed commands"]++;
      return false;
    }
  };
  const unrest = AbortSignal.any([signal, AbortSignal.timeout(plan.unrestSeconds * 1000)]);
  await Promise.all([
    every(plan.reloadSeconds, unrest, async () => {
      if (await command(["reload"])) done.reloads++;
    }),
    every(plan.killSeconds, unrest, (n) => {
      done.kills += system.kill(KILLED[n % KILLED.length]!);
    }),
    every(plan.commandSeconds, signal, async (n) => {
      if (await command(COMMANDS[n % COMMANDS.length]!)) done.commands++;
    }),
  ]);
  // Nothing stays on hold.
  await command(["postsuper", "-H", "ALL"]);
  return done;
}

async function every(
  seconds: number,
  signal: AbortSignal,
  act: (n: number) => void | Promise<void>,
): Promise<void> {
  for (let n = 0; !await aborted(signal, seconds * 1000); n++) await act(n);
}

/** Waits; true when the end came first. */
function aborted(signal: AbortSignal, milliseconds: number): Promise<boolean> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", over);
      resolve(signal.aborted);
    };
    const timer = setTimeout(over, milliseconds);
    signal.addEventListener("abort", over);
    if (signal.aborted) over();
  });
}
