/** How a role's process is started: the layers that hold here, around `deno run` with the row's flags. */

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "@std/path";
import { bwrapArguments, disguised, type Runtime } from "../../policies/bwrap.ts";
import { denoFlags, V8_FLAGS } from "../../policies/deno_flags.ts";
import type { Grant } from "../../policies/grant.ts";
import { FILTERED, seccompFilter } from "../../policies/seccomp.ts";
import { workerFlags, workerPermissions } from "../../policies/worker.ts";
import type { Bind } from "../../shared/role/control_messages.ts";
import { workInBatches } from "./batches.ts";
import { keepDescriptors } from "./descriptors.ts";
import { refuseHandles } from "./refuse_handles.ts";
import { logLines } from "./role_stderr.ts";

/** Which layers are active beside Deno's permissions. */
export interface Layers {
  readonly bwrap: string | undefined;
  /** Also sets no_new_privs; with root it changes the user. */
  readonly setpriv: string | undefined;
  /** The role's code runs in a worker of its process, and binds its own listeners. */
  readonly worker?: boolean;
}

/** What is added to a role's command line for once. */
export interface LaunchOptions {
  /** The sockets that it binds by itself: in a worker only. */
  readonly binds?: readonly Bind[];
  /** `HOST:PORT` on which a debugger may connect. */
  readonly inspect?: string | undefined;
  /** bubblewrap reads its filter (see seccomp.ts) from standard input: `feedFilter()`. */
  readonly filtered?: boolean;
  /** What it writes to standard error goes into the log; without it, it has our standard output and error. */
  readonly logged?: boolean;
}

const FILTER = seccompFilter();

/** Standard input of a command line that may be a filtered one. */
export function inputOf(words: readonly string[]): "pipe" | "ignore" {
  return words.includes(FILTERED[0]!) ? "pipe" : "ignore";
}

/** Gives bubblewrap what it waits for. */
export function feedFilter({ stdin }: ChildProcess): void {
  // It may have ended for another reason, which its exit tells.
  stdin?.on("error", () => {});
  stdin?.end(FILTER);
}

/** The whole command line of a role, bubblewrap first where it is used. */
export function commandLine(
  grant: Grant,
  runtime: Runtime,
  layers: Layers,
  options: LaunchOptions = {},
): string[] {
  const role = [
    ...(layers.setpriv ? [layers.setpriv, ...setprivArguments(grant, options), "--"] : []),
    ...(layers.worker ? inWorker(grant, runtime, options) : underFlags(grant, runtime, options)),
  ];
  if (!layers.bwrap) return role;
  return [
    layers.bwrap,
    ...bwrapArguments(grant, { ...runtime, setpriv: layers.setpriv }),
    ...(options.filtered && FILTER ? FILTERED : []),
    "--",
    ...role,
  ];
}

/** The role's own main.ts under the row's flags. */
function underFlags(grant: Grant, runtime: Runtime, { inspect }: LaunchOptions): string[] {
  return [
    ...denoRun(runtime, inspect),
    ...denoFlags(grant),
    runtime.probe ?? join(runtime.source, "roles", grant.row.role, "main.ts"),
  ];
}

/** A process that runs the role in a worker; a compiled binary starts itself. */
function inWorker(grant: Grant, runtime: Runtime, { binds, inspect }: LaunchOptions): string[] {
  const worker = [
    runtime.probe ?? `roles/${grant.row.role}/main.ts`,
    JSON.stringify(workerPermissions(grant, binds)),
  ];
  if (runtime.standalone) return [disguised(runtime.deno), "confine", ...worker];
  return [
    ...denoRun(runtime, inspect),
    ...workerFlags(grant),
    join(runtime.source, "shared", "role", "confine.ts"),
    ...worker,
  ];
}

function denoRun(runtime: Runtime, inspect: string | undefined): string[] {
  return [
    disguised(runtime.deno),
    "run",
    V8_FLAGS,
    ...(inspect === undefined ? [] : [`--inspect=${inspect}`]),
  ];
}

/** The environment of a role: nothing of the supervisor's own but the time zone. */
export function roleEnvironment(runtime: Runtime): Record<string, string> {
  const zone = Deno.env.get("TZ");
  return {
    DENO_DIR: runtime.cache,
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
    ...(zone ? { TZ: zone } : {}),
  };
}

/** Tells the runtime to note each permission that the role asks for: `deno task test:audit` compares them with its row. */
function auditing(grant: Grant, { audit }: Runtime): Record<string, string> {
  // A file of its own for each process: the runtime begins it anew.
  const file = `${grant.row.role}.${crypto.randomUUID()}`;
  return audit ? { DENO_AUDIT_PERMISSIONS: join(audit, file) } : {};
}

/** Starts a role with the control channel open; whoever starts it must end it. */
export function launch(
  grant: Grant,
  runtime: Runtime,
  layers: Layers,
  options: LaunchOptions = {},
): ChildProcess {
  const [command, ...args] = commandLine(grant, runtime, layers, { ...options, filtered: true });
  keepDescriptors();
  workInBatches();
  const output = options.logged ? ["ignore", "pipe"] as const : ["inherit", "inherit"] as const;
  const child = spawn(command!, args, {
    stdio: [inputOf(args), ...output, "ipc"],
    env: { ...roleEnvironment(runtime), ...auditing(grant, runtime) },
    cwd: runtime.standalone ? "/" : runtime.source,
    // A session of its own: signals of the terminal are for the supervisor, which ends roles in their order.
    detached: true,
  });
  feedFilter(child);
  // Its end of the channel is new, and the role does not run yet.
  refuseHandles();
  if (child.stderr) logLines(child.stderr, `process ${grant.row.role} pid ${child.pid}`);
  return child;
}

/** Ports below this need a capability. */
const FIRST_FREE_PORT = 1024;

function setprivArguments(grant: Grant, { binds = [] }: LaunchOptions): string[] {
  if (!grant.user) return ["--no-new-privs"];
  const low = binds.some(({ path, port }) => !path && port < FIRST_FREE_PORT);
  const capabilities = [...grant.capabilities, ...(low ? ["net_bind_service"] : [])];
  const kept = capabilities.map((name) => `+${name}`).join(",");
  return [
    `--reuid=${grant.user.uid}`,
    `--regid=${grant.user.gid}`,
    grant.user.socketGroup === undefined || grant.user.socketGroup === grant.user.gid
      ? "--clear-groups"
      : `--groups=${grant.user.socketGroup}`,
    "--no-new-privs",
    ...(kept
      ? [`--inh-caps=-all,${kept}`, `--ambient-caps=-all,${kept}`, `--bounding-set=-all,${kept}`]
      : ["--inh-caps=-all", "--bounding-set=-all"]),
  ];
}
