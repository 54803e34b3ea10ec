/**
 * What a role that was taken over would try, declared once: the sandbox tests and `policy --verify` let a probe try it
 * under every row. Beside it what a row grants, which must work: refusing everything would prove nothing.
 */

import { dirname } from "@std/path";
import { databaseDirectory } from "../shared/layout.ts";
import { isFile, isThere } from "./bwrap.ts";
import type { Grant } from "./grant.ts";
import type { Try } from "./probe.ts";

/** What can refuse an attempt: Deno's permissions, bubblewrap, or the rights of a user that is not the owner. */
export type Layer = "deno" | "bwrap" | "users";

/** What attempts are aimed at: decoys of the same kind beside the real things, and the real things that are safe to try. */
export interface Ground {
  /** Open to every user; what is in it is nobody's business. */
  readonly directory: string;
  readonly queue: string;
  readonly source: string;
  /** `host:port` where somebody listens and counts who comes. */
  readonly address: string;
  /** `host:port` where nobody listens, and somebody knocks. */
  readonly knocked: string;
  /** A library for the C language outside of the runtime's own. */
  readonly library: string;
  /** A variable of whoever starts the role. */
  readonly variable: string;
  readonly hostname: string;
  /** The sockets of every service that is there, by name. */
  readonly sockets: Readonly<Record<string, string>>;
  /** A service that the row of every calling role may call: what is tried on it could be done to any other. */
  readonly peer: string;
  /** A process of the same user: `PID ARGUMENT`. */
  readonly process: string;
}

export interface Attempt {
  readonly name: string;
  /** The layers of which each alone refuses it. */
  by(grant: Grant): readonly Layer[];
  /** Empty: not applicable to this grant. */
  tries(grant: Grant, ground: Ground): readonly Try[];
}

const byBoth = (): readonly Layer[] => ["deno", "bwrap"];
/** What the kernel cannot refuse, or what is worth nothing in a namespace of one's own. */
const byDeno = (): readonly Layer[] => ["deno"];

/** Every one of these must be refused. */
export const attempts: readonly Attempt[] = [
  {
    name: "read /etc/passwd",
    by: byBoth,
    // A table may be made of it: unix:passwd.byname.
    tries: ({ reads }) =>
      reads.includes("/etc/passwd") ? [] : [{ how: "read", target: "/etc/passwd" }],
  },
  {
    name: "read another's file",
    by: byBoth,
    tries: (_, { directory }) => [{ how: "read", target: `${directory}/secret.json` }],
  },
  {
    name: "read it by a link",
    by: byBoth,
    tries: ({ writes }, { directory }) =>
      writes.filter((place) => !isFile(place)).map((place) => ({
        how: "link",
        target: `${place}/${PROBE} ${directory}/secret.json`,
      })),
  },
  {
    name: "list what is beside its files",
    // bubblewrap shows the directory, so that a file may be replaced.
    by: byDeno,
    tries: ({ reads }) =>
      reads.filter(isFile).map((file) => ({ how: "list", target: dirname(file) })),
  },
  {
    name: "read the queue",
    by: byBoth,
    tries: ({ reads }, { queue }) => {
      const database = databaseDirectory(queue);
      if (reads.some((path) => path === database || dirname(path) === database)) return [];
      return [
        { how: "list", target: database },
        { how: "read", target: `${database}/queue.db` },
      ];
    },
  },
  {
    name: "write outside its places",
    by: byBoth,
    tries: (_, { directory, source }) => [
      { how: "write", target: `${directory}/open/${PROBE}` },
      { how: "write", target: `${source}/shared/errors.ts` },
    ],
  },
  {
    name: "write what it may read",
    by: byBoth,
    tries: ({ reads, writes }) =>
      reads.filter((place) => !writes.includes(place)).map((place) => ({
        how: "write",
        target: isFile(place) ? place : `${place}/${PROBE}`,
      })),
  },
  {
    name: "make a set-id file",
    // Of anybody's but its own it can be where files can be given away.
    by: () => ["bwrap"],
    tries: ({ writes, capabilities }) =>
      capabilities.includes("chown")
        ? writes.map((place) => ({ how: "setId", target: `${place}/${PROBE}` }))
        : [],
  },
  {
    name: "connect by IP",
    // Where a row has a network, ports are for Deno to tell apart.
    by: ({ hosts }) => hosts.length ? byDeno() : byBoth(),
    tries: ({ hosts }, { address }) => hosts.includes("*") ? [] : [{ how: "tcp", target: address }],
  },
  {
    name: "listen on IP",
    by: byDeno,
    tries: ({ hosts }) => hosts.includes("*") ? [] : [{ how: "listen", target: "127.0.0.1" }],
  },
  {
    name: "answer the host's clients",
    by: ({ hosts }) => hosts.length ? byDeno() : byBoth(),
    tries: ({ hosts }, { knocked }) =>
      hosts.includes("*") ? [] : [{ how: "answer", target: knocked }],
  },
  {
    name: "start a program",
    by: byBoth,
    tries: () => [
      { how: "run", target: "/bin/true" },
      { how: "spawn", target: "/bin/true" },
    ],
  },
  {
    name: "start itself again",
    // What runs in the sandbox has to be there; it would get no more rights than the sandbox gives.
    by: byDeno,
    tries: () => [{ how: "again", target: "--version" }],
  },
  {
    name: "read the environment",
    by: byDeno,
    tries: () => [{ how: "environment", target: "DENO_DIR" }],
  },
  {
    name: "read its starter's environment",
    // Roles are started with a few variables of their own.
    by: byBoth,
    tries: (_, { variable }) => [{ how: "environment", target: variable }],
  },
  {
    name: "ask about the host",
    by: byDeno,
    tries: () => [{ how: "interfaces", target: "networkInterfaces" }],
  },
  {
    name: "learn the host's name",
    by: byBoth,
    tries: (_, { hostname }) => [{ how: "hostname", target: hostname }],
  },
  {
    name: "import a file",
    by: byBoth,
    tries: (_, { directory }) => [{ how: "import", target: `${directory}/secret.json` }],
  },
  {
    name: "load the C library",
    by: byDeno,
    tries: () => [{ how: "library", target: "libc.so.6" }],
  },
  {
    name: "load another's library",
    by: byBoth,
    tries: (_, { library }) => [{ how: "library", target: library }],
  },
  {
    name: "connect to others' services",
    by: byBoth,
    tries: (grant, { sockets }) =>
      Object.entries(sockets).filter(([name]) => !(name in grant.sockets))
        .map(([, target]) => ({ how: "unix", target })),
  },
  {
    name: "take over a socket",
    by: takingOverBy,
    tries: (_, { peer }) => [
      { how: "rename", target: peer },
      { how: "bind", target: `${dirname(peer)}/${PROBE}` },
      { how: "remove", target: peer },
    ],
  },
  {
    name: "look into another process",
    by: byBoth,
    tries: (_, { process }) => [
      { how: "variables", target: process },
      { how: "memory", target: process },
    ],
  },
  {
    name: "signal another process",
    by: byBoth,
    tries: (_, { process }) => [{ how: "signal", target: process }],
  },
];

/** Every one of these must work. */
export const granted: readonly Pick<Attempt, "name" | "tries">[] = [
  {
    name: "connect to what it calls",
    tries: (grant, { sockets, peer }) =>
      Object.keys(grant.sockets).map((name) => ({
        how: "unix",
        target: sockets[name] ?? peer,
      })),
  },
  {
    name: "read its places",
    tries: ({ reads }) =>
      // What is not there yet says nothing about rights.
      reads.filter(isThere).map((target) => ({ how: isFile(target) ? "read" : "list", target })),
  },
  {
    name: "write its places",
    tries: ({ writes }) =>
      writes.map((place) => ({
        how: "write",
        target: isFile(place) ? place : `${place}/${PROBE}`,
      })),
  },
];

/** A file name that no role takes for its own. */
const PROBE = ".postern-probe";

/** Deno needs the same right to connect and to remove; an owner of the directory can be passed by with a capability. */
function takingOverBy({ sockets, capabilities }: Grant): readonly Layer[] {
  if (Object.keys(sockets).length === 0) return byBoth();
  return capabilities.includes("dac_override") ? ["bwrap"] : ["bwrap", "users"];
}
