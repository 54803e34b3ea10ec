/** The second layer: a grant as arguments of bubblewrap, an empty file system with only the row's places in it. */

import { basename, dirname } from "@std/path";
import { queueDirectoryOf } from "../shared/layout.ts";
import type { Grant } from "./grant.ts";

/** Where the runtime is: what every role needs to read to be a Deno process at all. */
export interface Runtime {
  /** The deno executable. */
  readonly deno: string;
  /** DENO_DIR: npm packages and compiled modules. */
  readonly cache: string;
  /** The clone: deno.json, deno.lock, shared/, roles/. */
  readonly source: string;
  /** Directories of the C library. */
  readonly libraries: readonly string[];
  /** setpriv, where it is used. */
  readonly setpriv: string | undefined;
  /** A compiled binary: `deno` is this program itself, with the roles inside. */
  readonly standalone?: boolean;
  /** Where roles leave a list of the permissions that they use: in an audit only, which whoever starts the system asks for. */
  readonly audit?: string;
  /** Runs this module instead of the role's: the sandbox test's probe. */
  readonly probe?: string;
}

/**
 * node:child_process rewrites each word of a command that equals Deno.execPath() into `deno run -A`: a role would start
 * with every permission. Another spelling of the same path is left alone; the sandbox test fails if that ever changes.
 */
export function disguised(deno: string): string {
  return `${dirname(deno)}/./${basename(deno)}`;
}

/** What a role's host is called in its sandbox: roles are told the name that they show to others. */
const HOSTNAME = "nowhere";

/** A host file that gives local time; harmless and needed for log lines. */
const LOCALTIME = "/etc/localtime";

/** Directories with sockets of everybody: of these a role is shown its own alone, until their server makes it anew. */
const SHARED: ReadonlySet<string> = new Set(["/run", "/tmp", "/var/run", "/var/tmp"]);

/** The arguments before `--`. */
export function bwrapArguments(grant: Grant, runtime: Runtime): string[] {
  const readOnly = [
    ...runtime.libraries,
    dirname(runtime.deno),
    runtime.cache,
    `${runtime.source}/deno.json`,
    `${runtime.source}/deno.lock`,
    `${runtime.source}/shared`,
    runtime.probe ?? `${runtime.source}/roles/${grant.row.role}`,
    ...(runtime.setpriv ? [runtime.setpriv] : []),
    // Connecting through a read-only directory works, unlinking the peer's socket does not.
    ...Object.values(grant.sockets).map(dirname),
    ...grant.foreignSockets.map((path) => SHARED.has(dirname(path)) ? path : dirname(path)),
    ...readPlaces(grant),
  ];
  const binds = [
    ...readOnly.map((path) => ["--ro-bind-try", path, path]),
    ["--ro-bind-try", LOCALTIME, LOCALTIME],
    ...[...grant.writes, ...(runtime.audit ? [runtime.audit] : [])]
      .map((path) => ["--bind-try", path, path]),
    ...neighbours(grant).filter((path) => !readOnly.includes(path))
      .map((path) => ["--tmpfs", path]),
  ].sort((a, b) => a[1]!.length - b[1]!.length);
  return [
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--hostname",
    HOSTNAME,
    "--unshare-cgroup-try",
    ...(grant.hosts.length ? [] : ["--unshare-net"]),
    "--die-with-parent",
    "--new-session",
    ...parents(binds.map((bind) => bind[1]!)),
    ...binds.flat(),
    // Its own processes only: the C library asks /proc for the size of the stack, Deno for its executable.
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--chdir",
    runtime.source,
  ];
}

/** What is shown for reading alone. qmgr's files may not be there yet when showq starts. */
function readPlaces({ row, reads, writes }: Grant): string[] {
  const places = reads.filter((path) => !writes.includes(path))
    .map(row.reads?.includes("listing") ? dirname : replaceable);
  return [...new Set(places)];
}

/**
 * The directories beside a server's socket below queue_directory: other services, and the queue. Its own directory is bound whole,
 * because the server makes the socket anew when it starts.
 */
function neighbours({ sockets, foreignSockets }: Grant): string[] {
  const queues = Object.values(sockets).map(queueDirectoryOf);
  return [...new Set(foreignSockets.map(dirname))]
    .filter((path) => queues.some((queue) => path === queue || path.startsWith(`${queue}/`)))
    .flatMap((path) =>
      [...entriesOf(path)].filter(({ isDirectory }) => isDirectory)
        .map(({ name }) => `${path}/${name}`)
    );
}

function entriesOf(path: string): Iterable<Deno.DirEntry> {
  try {
    return [...Deno.readDirSync(path)];
  } catch {
    return []; // Its server has not made it yet.
  }
}

/** Directories with things of the whole host: of these a role is shown its own file alone. */
const OF_THE_HOST: ReadonlySet<string> = new Set(["/", "/dev", "/etc", ...SHARED]);

/**
 * A file that is bound stays the same file when an editor puts a new one in its place. So the directory is bound,
 * and Deno's permissions, which go by name, narrow it to the file.
 */
function replaceable(path: string): string {
  const directory = dirname(path);
  return isFile(path) && !OF_THE_HOST.has(directory) ? directory : path;
}

/** True for a file that is there. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** True for a file, a directory or a socket that this user may see. */
export function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Directories above the bound paths, readable by whoever the role runs as; bubblewrap would make them 0700. */
function parents(paths: readonly string[]): string[] {
  const all = new Set<string>();
  for (const path of paths) {
    for (let up = dirname(path); up !== "/" && up !== "."; up = dirname(up)) all.add(up);
  }
  const bound = new Set(paths);
  return [...all].filter((path) => !bound.has(path)).sort((a, b) => a.length - b.length)
    .flatMap((path) => ["--perms", "0755", "--dir", path]);
}
