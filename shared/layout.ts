/** Where things are under `queue_directory`: declared once for the supervisor, the policy, the roles and the commands. */

import { join, resolve } from "@std/path";

/** The longest path that a unix socket can be bound to (sun_path less its NUL). */
export const MAX_SOCKET_PATH = 107;

/** Who may use a service: every user of the host, those that a parameter names, the owner of the system, or its roles alone. */
export type Audience = "everybody" | "authorized" | "owner" | "roles";

/** Services that users' commands reach: their sockets are in `public/`. All others are in `private/`. */
export const publicServices: ReadonlyMap<string, Audience> = new Map([
  ["pickup", "everybody"],
  ["showq", "authorized"],
  ["flush", "authorized"],
  ["queue", "owner"],
  ["control", "owner"],
  ["log", "owner"],
]);

const LOG = "log+";

/** The service on which postlogd takes the lines of one process name: who may connect there speaks in that name alone. */
export function logServiceOf(process: string): string {
  return LOG + encodeURIComponent(process).replaceAll("%2F", "+").replaceAll("%", "=");
}

/** The process name whose lines a service takes; undefined for any other service. */
export function processOfLog(service: string): string | undefined {
  if (!service.startsWith(LOG)) return undefined;
  return decodeURIComponent(
    service.slice(LOG.length).replaceAll("=", "%").replaceAll("+", "%2F"),
  );
}

/** The directory that holds one service's socket and nothing else. */
export function socketDirectory(queueDirectory: string, service: string): string {
  return join(queueDirectory, publicServices.has(service) ? "public" : "private", service);
}

/** The socket of a service. */
export function socketPath(queueDirectory: string, service: string): string {
  return join(socketDirectory(queueDirectory, service), "s");
}

/** The queue directory that a service's socket is in: `socketPath` backwards. */
export function queueDirectoryOf(socket: string): string {
  return resolve(socket, "../../..");
}

/** The socket of a server outside the system: a relative path is below the queue directory. */
export function foreignSocket(queueDirectory: string, path: string): string {
  return resolve(queueDirectory, path);
}

/** Where a role that runs in a worker binds its socket, before the supervisor moves it to `socketPath`. */
export function bindDirectory(queueDirectory: string, service: string): string {
  return join(socketDirectory(queueDirectory, service), "new");
}

/** qmgr's own directory: the database and the large contents. */
export function databaseDirectory(queueDirectory: string): string {
  return join(queueDirectory, "queue");
}

/** What SQLite keeps in that directory: the database, its log, and the index of the log that its connections share. */
export function databaseFiles(
  directory: string,
): readonly [database: string, log: string, index: string] {
  const database = join(directory, "queue.db");
  return [database, `${database}-wal`, `${database}-shm`];
}

/** Where sendmail leaves mail for pickup. */
export function maildropDirectory(queueDirectory: string): string {
  return join(queueDirectory, "maildrop");
}

/** postlogd's own directory, for its end of a syslog socket. */
export function syslogDirectory(queueDirectory: string): string {
  return join(queueDirectory, "syslog");
}

/** The socket that postlogd sends to syslog from. */
export function ownSyslogSocket(queueDirectory: string): string {
  return join(syslogDirectory(queueDirectory), "postlogd");
}

/** The supervisor's process id; `directory` is process_id_directory. */
export function pidFile(queueDirectory: string, directory: string): string {
  return resolve(queueDirectory, directory, "master.pid");
}
