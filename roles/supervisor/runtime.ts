/** Where Deno, its cache and our source are, and which confinement works on this host. */

import { dirname, fromFileUrl, join } from "@std/path";
import { isThere, type Runtime } from "../../policies/bwrap.ts";
import type { Host } from "../../policies/grant.ts";
import { FILTERED, seccompFilter } from "../../policies/seccomp.ts";
import { ConfigError } from "../../shared/errors.ts";
import type { Sandbox } from "../../shared/parameters/supervisor.ts";
import type { Layers } from "./launch.ts";
import { removeLeftStages, type Stage, stageRuntime } from "./stage.ts";

/** The clone that this process runs from. */
export const SOURCE = fromFileUrl(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Finds the parts of the runtime that roles must be able to read. */
export function findRuntime(): Runtime {
  const home = Deno.env.get("HOME") ?? "/";
  const cache = Deno.env.get("DENO_DIR") ??
    join(Deno.env.get("XDG_CACHE_HOME") ?? join(home, ".cache"), "deno");
  const audit = Deno.env.get("POSTERN_AUDIT_DIR");
  return {
    ...(audit ? { audit } : {}),
    deno: Deno.realPathSync(Deno.execPath()),
    standalone: Deno.build.standalone,
    cache,
    source: SOURCE,
    libraries: libraryDirectories(),
    setpriv: undefined,
  };
}

/** Where distributions keep the C library and the dynamic linker; what exists of them is shown to a role. */
export function libraryDirectories(): string[] {
  const multiarch = `${Deno.build.arch}-linux-gnu`;
  const debian = [`/lib/${multiarch}`, `/usr/lib/${multiarch}`].filter(isThere);
  const others = debian.length ? [] : ["/lib", "/usr/lib", "/usr/lib64"].filter(isThere);
  return [...debian, ...others, ...["/lib64", "/lib/ld-linux-aarch64.so.1"].filter(isThere)];
}

const FILTER = seccompFilter();

/** Chooses the layers: `auto` takes bubblewrap where a trial of it works. Throws ConfigError when `bwrap` cannot be had. */
export async function chooseLayers(wanted: Sandbox, host: Host): Promise<Layers> {
  const setpriv = await trial("setpriv", ["--no-new-privs", "--", "true"]);
  if (host.root && setpriv) {
    throw new ConfigError(`started as root, but setpriv cannot be used: ${setpriv}`);
  }
  const tools = { setpriv: setpriv ? undefined : which("setpriv") };
  if (wanted === "worker" || Deno.build.standalone) {
    if (wanted === "worker" || wanted === "auto") {
      return { ...tools, bwrap: undefined, worker: true };
    }
    throw new ConfigError(`sandbox: must be worker or auto in a compiled binary: is "${wanted}"`);
  }
  if (wanted === "deno") return { ...tools, bwrap: undefined };
  const refused = await trial("bwrap", [
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-net",
    "--ro-bind",
    "/",
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    ...(FILTER ? FILTERED : []),
    "true",
  ]);
  if (refused && wanted === "bwrap") {
    throw new ConfigError(`sandbox: bwrap cannot be used: ${refused}`);
  }
  return { ...tools, bwrap: refused ? undefined : which("bwrap") };
}

/** What bubblewrap is there for. */
const INSIDE = [
  "empty file system",
  "no network where a role has none",
  ...(FILTER ? ["no set-id files"] : []),
];

/** One sentence for the start-up message, under the 200 characters that `status` carries: what does not hold, too. */
export function describeLayers(layers: Layers, host: Host): string {
  const user = host.mailOwner
    ? `user ${host.mailOwner.name}, no capabilities`
    : "the user who started it";
  const unguarded = host.root
    ? "only their owner guards sockets, and nothing but Deno networks"
    : "a role could take over another's socket and, once past Deno, do all that you can";
  return [
    layers.worker ? "a worker with Deno permissions in each process" : "Deno permissions",
    layers.bwrap ? `bubblewrap (${INSIDE.join(", ")})` : `no bubblewrap: ${unguarded}`,
    user,
    ...(layers.setpriv ? ["no new privileges"] : []),
  ].join("; ");
}

async function trial(program: string, args: string[]): Promise<string | undefined> {
  const path = which(program);
  if (!path) return `${program} is not installed`;
  const child = new Deno.Command(path, { args, stdin: "piped", stdout: "null", stderr: "piped" })
    .spawn();
  const input = child.stdin.getWriter();
  if (FILTER) await input.write(FILTER).catch(() => {});
  await input.close().catch(() => {});
  const { success, stderr } = await child.output();
  return success ? undefined : new TextDecoder().decode(stderr).trim() || `${program} failed`;
}

function which(program: string): string | undefined {
  return ["/usr/bin", "/bin", "/usr/local/bin"].map((directory) => join(directory, program)).find(
    isThere,
  );
}

/**
 * Without bubblewrap, a role that runs as another user must be able to reach Deno, the cache and the source by itself.
 * What it cannot reach (a home directory of root) is copied to a temporary directory, which its disposal removes.
 */
export function reachable(runtime: Runtime, host: Host, layers: Layers): Stage {
  const asItIs = { runtime, [Symbol.dispose]() {} };
  if (!host.mailOwner) return asItIs;
  removeLeftStages();
  const needed = runtime.standalone
    ? [runtime.deno]
    : [runtime.deno, runtime.cache, runtime.source];
  return layers.bwrap || needed.every(openToOthers) ? asItIs : stageRuntime(runtime);
}

/** True when every directory on the way can be passed by anybody. */
export function openToOthers(path: string): boolean {
  for (let at = path; at !== "/"; at = dirname(at)) {
    const { mode, isDirectory } = Deno.statSync(at);
    const wanted = isDirectory ? 0o001 : 0o004;
    if (((mode ?? 0) & wanted) === 0) return false;
  }
  return true;
}
