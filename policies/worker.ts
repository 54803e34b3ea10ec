/**
 * The first layer where no flags can be given: a compiled binary has its permissions baked in, so a role runs in a worker
 * with the permissions of its row, and its main thread gives up all of its own (`shared/role/confine.ts`).
 */

import type { Bind } from "../shared/role/control_messages.ts";
import { denoPermissions, runFlags } from "./deno_flags.ts";
import type { Grant } from "./grant.ts";

/** Deno's PermissionOptionsObject, as JSON can carry it. */
export interface WorkerPermissions {
  readonly net: boolean | readonly string[];
  readonly read: false | readonly string[];
  readonly write: false | readonly string[];
  readonly sys: false | readonly string[];
  readonly env: false;
  readonly run: false;
  readonly ffi: false;
  readonly import: false;
}

/** The permissions of a role's worker: those of its row, and exactly the sockets that it binds by itself. */
export function workerPermissions(grant: Grant, binds: readonly Bind[] = []): WorkerPermissions {
  const { net, read, write, sys } = denoPermissions(grant);
  const paths = binds.map(({ path }) => path).filter(Boolean);
  const own = binds.map(({ path, address, port }) =>
    path ? `unix:${path}` : `${address.includes(":") ? `[${address}]` : address}:${port}`
  );
  return {
    net: net === true ? true : some([...net, ...own]),
    read: some([...read, ...paths]),
    write: some([...write, ...paths]),
    sys: some(sys),
    env: false,
    run: false,
    ffi: false,
    import: false,
  };
}

function some(values: readonly string[]): false | readonly string[] {
  return values.length > 0 && values;
}

/** What the process around the worker starts with: as much as a compiled binary has, until it gives it up. */
export function workerFlags(grant: Grant): string[] {
  const all = ["read", "write", "net", "sys", "env", "run"].map((name) => `--allow-${name}`);
  return [...runFlags(grant), "--unstable-worker-options", ...all];
}
