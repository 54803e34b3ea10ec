/** The first layer: a grant as flags of `deno run`. This and its neighbours are the only places where rights are spelled. */

import type { Grant } from "./grant.ts";

/**
 * How V8 runs a role. One thread's worth of work: helper threads cost more than they save. A young generation that still
 * fits the cache, and whole collections instead of piecemeal ones: what passes through a role is garbage at once, but
 * whatever is made while marking goes on stays until the next time, and with it a read buffer each. They begin at 64 MB:
 * left to itself V8 waits for gigabytes of garbage that mail without end makes, and never gives them back. Where it comes
 * slowly, roles look for themselves (`shared/role/garbage.ts`). Not --expose-gc: gc() writes a snapshot of the heap
 * to any file that it is told.
 */
export const V8_FLAGS = "--v8-flags=" + [
  "--single-threaded",
  "--max-semi-space-size=8",
  "--no-incremental-marking",
  "--initial-heap-size=64",
].join(",");

/** What a grant comes to in Deno's words; `net` is true for any host. */
export interface Permissions {
  readonly net: true | readonly string[];
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly sys: readonly string[];
}

/** Deno's permissions for a grant: a socket needs the right to its path in three lists. */
export function denoPermissions(grant: Grant): Permissions {
  const sockets = [...Object.values(grant.sockets), ...grant.foreignSockets];
  return {
    net: grant.hosts.includes("*")
      ? true
      : sorted([...grant.hosts, ...sockets.map((path) => `unix:${path}`)]),
    read: sorted([...grant.reads, ...sockets]),
    write: sorted([...grant.writes, ...sockets]),
    sys: sorted(grant.row.sys ?? []),
  };
}

/** `--allow-...` and what goes with it, in a stable order. */
export function denoFlags(grant: Grant): string[] {
  const { net, read, write, sys } = denoPermissions(grant);
  return [
    ...runFlags(grant),
    ...(net === true ? ["--allow-net"] : flag("net", net)),
    ...flag("read", read),
    ...flag("write", write),
    ...flag("sys", sys),
  ];
}

/** What a role is started with beside its permissions. */
export function runFlags(grant: Grant): string[] {
  return [
    "--no-prompt",
    "--cached-only",
    "--quiet",
    "--frozen",
    // A role may not write there: it would make V8's code ready to be kept, a tenth of its start, and keep nothing.
    "--no-code-cache",
    ...(grant.row.unstable ?? []).map((name) => `--unstable-${name}`),
  ];
}

function flag(name: string, values: readonly string[]): string[] {
  return values.length ? [`--allow-${name}=${values.join(",")}`] : [];
}

/** Without doubles, in a stable order. */
function sorted(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}
