/** The first layer: a grant as flags of `deno run`. This and `bwrap.ts` are the only places where flags are made. */

import type { Grant } from "./grant.ts";

/** `--allow-...` and what goes with it, in a stable order. */
export function denoFlags(grant: Grant): string[] {
  const sockets = [...Object.values(grant.sockets), ...grant.foreignSockets];
  const net = [
    ...grant.hosts.filter((host) => host !== "*"),
    ...sockets.map((path) => `unix:${path}`),
  ];
  const anyHost = grant.hosts.includes("*");
  return [
    "--no-prompt",
    "--cached-only",
    "--quiet",
    "--frozen",
    ...(grant.row.unstable ?? []).map((name) => `--unstable-${name}`),
    ...(anyHost ? ["--allow-net"] : flag("net", net)),
    ...flag("read", [...grant.reads, ...sockets]),
    ...flag("write", [...grant.writes, ...sockets]),
    ...flag("sys", grant.row.sys ?? []),
  ];
}

function flag(name: string, values: readonly string[]): string[] {
  return values.length ? [`--allow-${name}=${[...new Set(values)].sort().join(",")}`] : [];
}
