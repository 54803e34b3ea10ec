/** One role without the others: its process under its own row, in the foreground, until it ends or is told to. */

import process from "node:process";
import { answersOf, type Grant, grantOf, type Host } from "../../policies/grant.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { EX } from "../../shared/errors.ts";
import { socketDirectory } from "../../shared/layout.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { commandLine, type LaunchOptions, type Layers, roleEnvironment } from "./launch.ts";
import { Member } from "./member.ts";
import { planOf, type Wanted } from "./plans.ts";
import { findRuntime, reachable } from "./runtime.ts";
import { settingsOf } from "./settings.ts";
import { type System, systemOn } from "./system.ts";

/** A role that is to run alone. */
export interface Alone {
  readonly configuration: Configuration;
  readonly wanted: Wanted;
  readonly host: Host;
  readonly layers: Layers;
  /** Holds the sockets that it answers on: nobody but who started it finds them. */
  readonly directory: string;
  /** `HOST:PORT` for a debugger. */
  readonly inspect?: string | undefined;
}

/** What happens to it. */
export interface AloneEvents {
  ready(): void;
  /** It is about to connect to a service that may have to be started. */
  want(service: string): void;
}

/** How long it may finish what is in hand after Ctrl-C. */
const STOP_MS = 5000;

/** What the role may do under this configuration. */
export function grantAlone({ configuration, wanted, host }: Alone): Grant {
  return grantOf(wanted.row, wanted.service, settingsOf(configuration), host);
}

/** The command line and the environment, as a person would type them into a shell. */
export function printed(alone: Alone): string {
  const runtime = findRuntime();
  const words = commandLine(grantAlone(alone), runtime, alone.layers, { inspect: alone.inspect });
  const environment = Object.entries(roleEnvironment(runtime)).map(([name, value]) =>
    `${name}=${quoted(value)}`
  );
  return ["env -i", ...environment, ...words.map(quoted)].join(" ") + "\n";
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Runs it until it ends or a signal asks for the end; the exit code. Throws ConfigError when it cannot be started. */
export async function runAlone(alone: Alone, events: AloneEvents): Promise<number> {
  const { configuration, host, layers, directory } = alone;
  // From here on: a Ctrl-C while the runtime is copied must leave nothing behind.
  const asked = askedToEnd();
  using stage = reachable(findRuntime(), host, layers);
  const system = systemOn({ configuration, host, runtime: stage.runtime, layers, directory });
  for (const service of answersOf(alone.wanted.row, alone.wanted.service, system.settings)) {
    Deno.mkdirSync(socketDirectory(directory, service), { recursive: true, mode: 0o755 });
  }
  try {
    return await untilItEnds(alone, system, events, asked);
  } finally {
    system.listeners.close();
  }
}

/** Resolves at the first signal to end. */
function askedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => resolve());
  });
}

function untilItEnds(
  alone: Alone,
  system: System,
  events: AloneEvents,
  asked: Promise<void>,
): Promise<number> {
  const plan = planOf(alone.wanted, system);
  const own = plan.ownSockets?.();
  // Whoever debugs it reads what it prints.
  const options: LaunchOptions = {
    binds: own?.binds ?? [],
    inspect: alone.inspect,
    logged: false,
  };
  // It stays, however little it has to do.
  const start = { ...plan.handover.start, maxIdleSeconds: 0 };
  const handover = { ...plan.handover, start, binds: options.binds! };
  return new Promise((resolve) => {
    let stopping = false;
    const member = new Member(plan.launch(options), handover, {
      ready: () => {
        own?.listening();
        events.ready();
      },
      want: (service) => events.want(service),
      idle() {},
      exit: (gone, how) => {
        if (stopping || !how) return resolve(EX.OK);
        console.error(
          `${plan.role}: ${how}${gone.fatal ? `: ${withoutControls(gone.fatal.text)}` : ""}`,
        );
        resolve(gone.fatal?.config ? EX.CONFIG : EX.SOFTWARE);
      },
    });
    asked.then(() => {
      stopping = true;
      member.drain(STOP_MS);
      setTimeout(() => member.kill(), STOP_MS);
    });
  });
}
