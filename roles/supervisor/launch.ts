/** How a role's process is started: the layers that hold here, around `deno run` with the row's flags. */

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "@std/path";
import { bwrapArguments, disguised, type Runtime } from "../../policies/bwrap.ts";
import { denoFlags } from "../../policies/deno_flags.ts";
import type { Grant } from "../../policies/grant.ts";

/** Which layers are active beside Deno's permissions. */
export interface Layers {
  readonly bwrap: string | undefined;
  /** Also sets no_new_privs; with root it changes the user. */
  readonly setpriv: string | undefined;
}

/** The whole command line of a role, bubblewrap first where it is used. */
export function commandLine(grant: Grant, runtime: Runtime, layers: Layers): string[] {
  const role = [
    ...(layers.setpriv ? [layers.setpriv, ...setprivArguments(grant), "--"] : []),
    disguised(runtime.deno),
    "run",
    // A role has the CPU of one thread's worth of work: V8's helper threads cost more than they save.
    "--v8-flags=--single-threaded",
    ...denoFlags(grant),
    runtime.probe ?? join(runtime.source, "roles", grant.row.role, "main.ts"),
  ];
  if (!layers.bwrap) return role;
  return [
    layers.bwrap,
    ...bwrapArguments(grant, { ...runtime, setpriv: layers.setpriv }),
    "--",
    ...role,
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

/** Starts a role with the control channel open and its standard error on ours. */
export function launch(grant: Grant, runtime: Runtime, layers: Layers): ChildProcess {
  const [command, ...args] = commandLine(grant, runtime, layers);
  return spawn(command!, args, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: roleEnvironment(runtime),
    cwd: runtime.source,
  });
}

function setprivArguments(grant: Grant): string[] {
  if (!grant.user) return ["--no-new-privs"];
  const kept = grant.capabilities.map((name) => `+${name}`).join(",");
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
