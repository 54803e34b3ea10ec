/**
 * Listening sockets that are bound here and accepted on elsewhere: the one use of node's `_createServerHandle`. The
 * handle must never become a listening server in this process: it would accept connections itself and lose them.
 */

import net from "node:net";
import { ConfigError, reason } from "../../shared/errors.ts";

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

/** Binds an inet address; for the error `what` names the line of master.cf, and `holder` who probably has the port. */
export function bindInet(address: string, port: number, what: string, holder?: string): Handle {
  tryToListen(address, port, what, holder);
  const handle = create(address, port, address.includes(":") ? 6 : 4, null, 0);
  if (typeof handle !== "number") return handle;
  throw new ConfigError(`${what}: cannot listen on ${address} port ${port}: error ${-handle}`);
}

/**
 * Throws ConfigError unless an inet address is free: a handle tells of a taken port only when a role listens on it, a
 * short listener of our own tells now.
 */
export function tryToListen(
  hostname: string,
  port: number,
  what: string,
  holder = "is another mail system running?",
): void {
  try {
    Deno.listen({ hostname, port }).close();
  } catch (error) {
    const why = error instanceof Deno.errors.AddrInUse
      ? `address already in use: ${holder}`
      : error instanceof Deno.errors.PermissionDenied
      ? "permission denied: a port below 1024 needs root"
      : error instanceof Deno.errors.AddrNotAvailable
      ? "this host has no such address"
      : reason(error);
    throw new ConfigError(`${what}: cannot listen on ${hostname} port ${port}: ${why}`);
  }
}

/** Binds a unix socket; the path must be free. */
export function bindUnix(path: string): Handle {
  const handle = create(path, -1, -1, null, 0);
  if (typeof handle !== "number") return handle;
  throw new ConfigError(`cannot listen on ${path}: error ${-handle}`);
}

/** A port of 127.0.0.1 that nobody listens on now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
