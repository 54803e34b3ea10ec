/** Opens a connection to one server address, or says why not in the words of the log. */

import { connect as netConnect, type Socket } from "node:net";
import { foreignSocket } from "../../shared/layout.ts";
import { info } from "../../shared/log/log.ts";
import type { Sweeper } from "./sweeper.ts";
import { type Peer, SiteError } from "./trouble.ts";
import { Wire } from "./wire.ts";

/** One address of a destination. */
export interface Server extends Peer {
  /** An IP address, or the path of a unix socket. */
  readonly address: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** How many better preferences its destination has. */
  readonly rank?: number;
}

/** A server at an IP address. */
export function inetServer(name: string, address: string, port: number): Server {
  const label = `${name}[${address}]`;
  return { name, address, port, label, relay: `${label}:${port}` };
}

/** A server behind a unix socket; Postfix names it after this host, and the socket as the destination does. */
export function unixServer(myhostname: string, queueDirectory: string, path: string): Server {
  const label = `${myhostname}[${path}]`, address = foreignSocket(queueDirectory, path);
  return { name: myhostname, address, port: 0, label, relay: label };
}

const TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Connection refused",
  ETIMEDOUT: "Connection timed out",
  EHOSTUNREACH: "No route to host",
  ENETUNREACH: "Network is unreachable",
  ECONNRESET: "Connection reset by peer",
  EADDRNOTAVAIL: "Cannot assign requested address",
  ENOENT: "No such file or directory",
  EACCES: "Permission denied",
};

/** A connected wire; throws SiteError. `seconds` 0 waits as long as the system does. */
export async function connect(server: Server, seconds: number, sweeper: Sweeper): Promise<Wire> {
  const failed = (why: string, dsn = "4.4.1") => {
    const text = `connect to ${server.relay}: ${why}`;
    // For each server, also the last: tools count these lines.
    info(text);
    return new SiteError({ dsn, text, relay: "none", site: true });
  };
  let socket: Socket;
  try {
    socket = netConnect(
      server.port
        ? { host: server.address, port: server.port, noDelay: true }
        : { path: server.address },
    );
  } catch (error) {
    throw explain(error, server, failed);
  }
  return await new Promise((resolve, reject) => {
    const end = (error?: Error) => {
      sweeper.delete(watch);
      socket.removeAllListeners();
      if (!error) return resolve(new Wire(socket, sweeper));
      socket.on("error", () => {});
      socket.destroy();
      reject(error);
    };
    const deadline = sweeper.deadline(seconds) || Infinity;
    const watch = {
      sweep: (now: number) => {
        if (now >= deadline) end(failed(TEXTS["ETIMEDOUT"]!));
      },
    };
    sweeper.add(watch);
    socket.once("connect", () => end());
    socket.once("error", (error) => end(explain(error, server, failed)));
    socket.once("close", () => end(failed(TEXTS["ECONNRESET"]!)));
  });
}

/** A right that this role does not hold is the configuration's to give: the text says by which name. */
function explain(
  error: unknown,
  server: Server,
  failed: (why: string, dsn?: string) => SiteError,
): SiteError {
  const { name, code, message } = error as Error & { code?: string };
  if (name === "NotCapable") {
    return failed(
      server.port
        ? `port ${server.port} is not allowed here: add it to smtp_allowed_ports, or reload if a table has it now`
        : "the socket is not allowed here: name it in transport_maps or a transport parameter",
      "4.3.5",
    );
  }
  return failed(TEXTS[code ?? ""] ?? message ?? String(error));
}
