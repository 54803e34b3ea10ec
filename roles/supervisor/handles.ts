/**
 * Listening sockets that are bound here and accepted on elsewhere: the one use of node's `_createServerHandle`. The
 * handle must never become a listening server in this process: it would accept connections itself and lose them.
 */

import net from "node:net";
import { ConfigError } from "../../shared/errors.ts";

/** A bound socket, ready to be sent to any number of processes. */
export interface Handle {
  close(): void;
}

type Create = (
  address: string,
  port: number,
  type: number,
  fd: null,
  flags: number,
) => Handle | number;

// deno-lint-ignore no-explicit-any
const create = (net as any)._createServerHandle as Create;

/** Binds an inet address; `what` names the line of master.cf for the error. */
export function bindInet(address: string, port: number, what: string): Handle {
  const handle = create(address, port, address.includes(":") ? 6 : 4, null, 0);
  if (typeof handle !== "number") return handle;
  throw new ConfigError(`${what}: cannot listen on ${address} port ${port}: ${errorText(handle)}`);
}

/** Binds a unix socket; the path must be free. */
export function bindUnix(path: string): Handle {
  const handle = create(path, -1, -1, null, 0);
  if (typeof handle !== "number") return handle;
  throw new ConfigError(`cannot listen on ${path}: ${errorText(handle)}`);
}

const ERRORS: Readonly<Record<number, string>> = {
  13: "permission denied (a port below 1024 needs root)",
  48: "address already in use",
  98: "address already in use: is another mail system running?",
  99: "this host has no such address",
};

function errorText(code: number): string {
  return ERRORS[Math.abs(code)] ?? `error ${code}`;
}
