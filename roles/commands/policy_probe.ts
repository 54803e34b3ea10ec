/** Starts a probe in a role's place, as the supervisor would start the role, and hears what became of its attempts. */

import { type ChildProcess, spawn } from "node:child_process";
import {
  type Attempt,
  attempts,
  granted,
  type Ground,
  type Layer,
} from "../../policies/attempts.ts";
import type { Runtime } from "../../policies/bwrap.ts";
import type { Grant, Host } from "../../policies/grant.ts";
import type { Tried, Try } from "../../policies/probe.ts";
import type { Bind } from "../../shared/role/control_messages.ts";
import {
  commandLine,
  feedFilter,
  inputOf,
  type Layers,
  roleEnvironment,
} from "../supervisor/launch.ts";
import type { Decoys } from "./policy_decoys.ts";

/** How roles are started for a trial, and what then refuses. */
export interface Trial {
  readonly name: string;
  readonly runtime: Runtime;
  readonly active: readonly Layer[];
  /** Also tries what no active layer can refuse. */
  readonly everything: boolean;
  command(grant: Grant): string[];
  /** What the role has for an environment. */
  readonly environment: Record<string, string>;
}

/** What became of one attempt of one role; `reason` says what came through. */
export interface Finding {
  readonly name: string;
  readonly result: "refused" | "ALLOWED" | "works" | "FAILS" | "-";
  readonly reason: string;
}

/** What the supervisor would start roles with. */
export interface Start {
  readonly runtime: Runtime;
  readonly layers: Layers;
  readonly host: Host;
  /** What a role in a worker binds by itself. */
  binds(grant: Grant): readonly Bind[];
}

/** The layers together, as the supervisor uses them. */
export function together({ runtime, layers, host, binds }: Start): Trial {
  return {
    name: "all layers together",
    runtime,
    active: ["deno", ...(layers.bwrap ? ["bwrap" as const] : []), ...users(host)],
    everything: true,
    command: (grant) =>
      commandLine(grant, runtime, layers, { binds: binds(grant), filtered: true }),
    environment: roleEnvironment(runtime),
  };
}

/** Deno's permissions without bubblewrap around them, those of flags or those of a worker. */
export function denoAlone(start: Start): Trial {
  return {
    ...together({ ...start, layers: { ...start.layers, bwrap: undefined } }),
    name: "Deno's permissions by themselves",
    everything: false,
  };
}

/** bubblewrap around a process to which Deno permits everything. */
export function bwrapAlone({ runtime, layers, host }: Start): Trial {
  return {
    name: "bubblewrap by itself",
    runtime,
    active: ["bwrap", ...users(host)],
    everything: false,
    command: (grant) => commandLine(grant, runtime, layers, { filtered: true }).flatMap(permitAll),
    environment: roleEnvironment(runtime),
  };
}

function permitAll(word: string): string[] {
  if (word === "--no-prompt") return ["-A"];
  return word.startsWith("--allow-") ? [] : [word];
}

/** Started by root, a role is not the owner of the sockets' directories. */
function users(host: Host): Layer[] {
  return host.root ? ["users"] : [];
}

/** Lets a probe under this grant try everything; one finding for each attempt, then for each thing granted. */
export function tryGrant(
  given: Grant,
  trial: Trial,
  decoys: Decoys,
  services: readonly string[],
): Promise<Finding[]> {
  const grant = decoys.extended(given);
  return decoys.on(grant, services, async (ground) => {
    const planned = attempts.map((attempt) => plan(attempt, grant, ground, trial));
    const wanted = granted.map((each) => each.tries(grant, ground));
    const before = decoys.arrived;
    // What is granted comes first: attempts that succeed may take it away.
    const tried = await probe(trial, grant, [...wanted.flat(), ...planned.flat()]);
    const take = (tries: readonly Try[]) => tried.splice(0, tries.length);
    const works = granted.map(({ name }, n) => worked(name, take(wanted[n]!)));
    const refused = attempts.map(({ name }, n) => held(name, take(planned[n]!)));
    if (decoys.arrived > before) refused.push(broken("a connection by IP arrived"));
    if (decoys.written()) refused.push(broken("a file was left outside its places"));
    return [...refused, ...works];
  });
}

function plan(attempt: Attempt, grant: Grant, ground: Ground, trial: Trial): readonly Try[] {
  const refusable = attempt.by(grant).some((layer) => trial.active.includes(layer));
  return refusable || trial.everything ? attempt.tries(grant, ground) : [];
}

function held(name: string, tried: readonly Tried[]): Finding {
  if (!tried.length) return { name, result: "-", reason: "" };
  const through = tried.filter(({ refused }) => !refused);
  if (!through.length) return { name, result: "refused", reason: "" };
  return {
    name,
    result: "ALLOWED",
    reason: through.map(({ how, target }) => `${how} ${target}`).join("; "),
  };
}

function worked(name: string, tried: readonly Tried[]): Finding {
  if (!tried.length) return { name, result: "-", reason: "" };
  const failed = tried.filter(({ refused }) => refused);
  return {
    name,
    result: failed.length ? "FAILS" : "works",
    reason: failed.map(({ how, target, error }) => `${how} ${target}: ${error}`).join("; "),
  };
}

function broken(reason: string): Finding {
  return { name: "what the verifier saw", result: "ALLOWED", reason };
}

/** A probe that has not answered by then hangs. */
const PROBE_MS = 30_000;

/** Runs one probe to its answer. Throws what it printed when it ends without one. */
async function probe(trial: Trial, grant: Grant, tries: readonly Try[]): Promise<Tried[]> {
  const [program, ...args] = trial.command(grant);
  const child = spawn(program!, args, {
    stdio: [inputOf(args), "ignore", "pipe", "ipc"],
    env: trial.environment,
    cwd: trial.runtime.standalone ? "/" : trial.runtime.source,
  });
  feedFilter(child);
  try {
    return await answerOf(child, tries);
  } finally {
    child.kill("SIGKILL");
  }
}

function answerOf(child: ChildProcess, tries: readonly Try[]): Promise<Tried[]> {
  return new Promise((resolve, reject) => {
    let printed = "";
    const timer = setTimeout(() => child.kill("SIGKILL"), PROBE_MS);
    child.stderr?.on("data", (bytes) => printed += bytes);
    child.on("message", (value: { type: "up" } | { type: "tried"; tried: Tried[] }) => {
      if (value.type === "up") return child.send(tries as Try[]);
      resolve(value.tried);
    });
    child.on("error", reject);
    child.on("exit", () => {
      clearTimeout(timer);
      reject(new Error(`the probe ended without an answer: ${printed.slice(-2000)}`));
    });
  });
}
