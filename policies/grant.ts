/** A row and the configuration become a grant: the exact paths, sockets, hosts and user of one service's processes. */

import { ConfigError } from "../shared/errors.ts";
import { parseAddress } from "../shared/net/network.ts";
import {
  databaseDirectory,
  databaseFiles,
  logServiceOf,
  maildropDirectory,
  ownSyslogSocket,
  socketPath,
  syslogDirectory,
} from "../shared/layout.ts";
import { valueOf } from "../shared/parameters/declare.ts";
import { dnsParameters } from "../shared/parameters/dns.ts";
import { onlyOwner } from "../shared/parameters/virtual.ts";
import { commandsOf, type Place, policies, policyOfCommand, type Row } from "./mod.ts";
import { type ServiceLine, type Settings, smtpDestinations, tableFilesOf } from "./settings.ts";

/** The user that a process runs as; only root can choose. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** The group that may use the system's sockets, where it is not `gid`. */
  readonly socketGroup?: number;
}

/** Everything that one process may touch; whatever is not here is refused. */
export interface Grant {
  readonly row: Row;
  readonly service: string;
  /** Sockets of the services that it calls, by service. */
  readonly sockets: Readonly<Record<string, string>>;
  /** Sockets outside the system that it may connect to (LMTP servers, /dev/log). */
  readonly foreignSockets: readonly string[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** `host:port` in Deno's notation; `*` is any host. Empty: no IP at all. */
  readonly hosts: readonly string[];
  readonly user: User | null;
  /** Linux capabilities kept by a role that is started as root. */
  readonly capabilities: readonly string[];
}

/** What there is to know about the host, read once by the supervisor. */
export interface Host {
  readonly root: boolean;
  readonly mailOwner: User | null;
  /** Addresses from /etc/resolv.conf. */
  readonly nameServers: readonly string[];
}

/** The names under which a row's services are reached: `delivery` becomes the transport, `log` one for each process name. */
export function answersOf(row: Row, service: string, settings: Settings): string[] {
  return row.answers.flatMap((name) =>
    name === "delivery" ? [service] : name === "log" ? [name, ...everyLog(settings)] : [name]
  );
}

/** The services that a row may connect to. */
export function callsOf(row: Row, settings: Settings): string[] {
  return row.calls.flatMap((name) => (name === "delivery" ? transports(settings) : [name]));
}

/** The line of master.cf that a service is started by. */
function lineOf(row: Row, service: string, { services }: Settings): ServiceLine | undefined {
  const lines = services.filter(({ command }) => policyOfCommand(command) === row);
  return hasMany(row) ? lines.find(({ name }) => name === service) : lines[0];
}

/** The services that take a service's lines, by the program that says them. */
export function logsOf(row: Row, service: string, settings: Settings): Record<string, string> {
  if (!settings.logsToService || row.answers.includes("log")) return {};
  const line = lineOf(row, service, settings);
  const program = line && commandsOf(row).length > 1 ? line.command : row.role;
  const before = settings.syslogName(line);
  return Object.fromEntries(
    [program, ...row.logsAs ?? []].map((name) => [name, logServiceOf(`${before}/${name}`)]),
  );
}

/** Each line of master.cf that such a row runs is a service of its own. */
export function hasMany(row: Row): boolean {
  return Boolean(row.inet) || row.answers.includes("delivery");
}

/** The services that take the lines of every role, and of the supervisor, whose name no row has. */
function everyLog(settings: Settings): string[] {
  const all = policies.flatMap((row) => {
    const lines = settings.services.filter(({ command }) => policyOfCommand(command) === row);
    const services = hasMany(row) ? lines.map(({ name }) => name) : [row.role];
    return services.flatMap((service) => Object.values(logsOf(row, service, settings)));
  });
  return [...new Set([logServiceOf(`${settings.syslogName(undefined)}/master`), ...all])];
}

function transports({ services }: Settings): string[] {
  return services
    .filter(({ type, command }) =>
      type === "unix" && policyOfCommand(command)?.answers.includes("delivery")
    )
    .map(({ name }) => name);
}

/** Computes the grant of one service. */
export function grantOf(row: Row, service: string, settings: Settings, host: Host): Grant {
  const queue = settings.value("queue_directory");
  const line = lineOf(row, service, settings);
  const destinations = row.network === "smtp_servers"
    ? smtpDestinations(settings, line)
    : undefined;
  const owner = row.writes?.includes("mailboxes") ? mailboxOwner(settings, host, line) : undefined;
  return {
    row,
    service,
    sockets: Object.fromEntries(
      [...callsOf(row, settings), ...Object.values(logsOf(row, service, settings))]
        .map((name) => [name, socketPath(queue, name)]),
    ),
    foreignSockets: row.writes?.includes("syslog")
      ? syslogSockets(settings)
      : destinations?.sockets ?? [],
    reads: (row.reads ?? []).flatMap((place) => paths(place, settings, line)),
    writes: (row.writes ?? []).flatMap((place) => paths(place, settings, line)),
    hosts: destinations?.hosts ??
      (row.network === "name_servers" ? nameServerHosts(settings, host, line) : []),
    user: host.root ? owner?.user ?? host.mailOwner : null,
    capabilities: owner?.capabilities ?? [],
  };
}

function paths(place: Place, settings: Settings, line: ServiceLine | undefined): string[] {
  switch (place) {
    case "database":
      return [databaseDirectory(settings.value("queue_directory"))];
    case "listing":
      return [...databaseFiles(databaseDirectory(settings.value("queue_directory")))];
    case "maildrop":
      return [maildropDirectory(settings.value("queue_directory"))];
    case "tables":
      return tableFilesOf(settings);
    case "mailboxes":
      return [settings.value("virtual_mailbox_base", line)].filter(Boolean);
    case "maillog":
      return [settings.value("maillog_file")].filter(Boolean);
    case "syslog":
      return logsToSyslog(settings) ? [syslogDirectory(settings.value("queue_directory"))] : [];
  }
}

function logsToSyslog(settings: Settings): boolean {
  return !settings.value("maillog_file") && Boolean(settings.value("syslog_socket"));
}

/** Syslog's socket, and the one that postlogd sends from. */
function syslogSockets(settings: Settings): string[] {
  if (!logsToSyslog(settings)) return [];
  const socket = settings.value("syslog_socket");
  if (socket.startsWith("/dev/")) {
    throw new ConfigError(
      `syslog_socket: Deno permits no role anything in /dev: is "${socket}": name the socket that it stands for, ` +
        `such as /run/systemd/journal/dev-log, or have the syslog daemon listen elsewhere, too`,
    );
  }
  return [socket, ownSyslogSocket(settings.value("queue_directory"))];
}

/** The name servers to ask, as `address:port`: those of dns_servers, else those of the host. */
export function nameServersOf(settings: Settings, host: Host, line?: ServiceLine): string[] {
  const own = { value: (name: string) => settings.value(name, line) };
  const configured = valueOf(dnsParameters.servers, own);
  const servers = configured.length ? configured : host.nameServers;
  return servers.map((server) => {
    const [, bracketed, four, six, port = "53"] =
      /^(?:\[([^\][]+)\]|([0-9.]+)|([0-9a-fA-F:.]+))(?::([0-9]{1,5}))?$/.exec(server) ?? [];
    const address = bracketed ?? four ?? six ?? "";
    const bytes = parseAddress(address);
    if (!bytes || Number(port) < 1 || Number(port) > 65535) {
      throw new ConfigError(`dns_servers: must be addresses: is "${server}"`);
    }
    return `${bytes.length === 16 ? `[${address}]` : address}:${Number(port)}`;
  });
}

/** The name servers, and the ports of our own that their answers by UDP come to: any free one, to the runtime port 0. */
function nameServerHosts(
  settings: Settings,
  host: Host,
  line: ServiceLine | undefined,
): string[] {
  const hosts = nameServersOf(settings, host, line);
  const own = (any: string, six: boolean) =>
    hosts.some((each) => each.startsWith("[") === six) ? [any] : [];
  return [...hosts, ...own("0.0.0.0:0", false), ...own("[::]:0", true)];
}

/**
 * Who owns mailboxes. One owner for all (`static:`) is the user that virtual runs as; owners from a table need the
 * capabilities to give files away, and only those. Undefined: mail_owner, like everything else.
 */
function mailboxOwner(
  settings: Settings,
  host: Host,
  line: ServiceLine | undefined,
): { user: User | null; capabilities: string[] } | undefined {
  if (!host.root) return undefined;
  const uids = settings.value("virtual_uid_maps", line);
  const only = onlyOwner(uids, settings.value("virtual_gid_maps", line));
  if (only) {
    if (only.uid === 0) {
      throw new ConfigError("virtual_uid_maps: must not be 0: mailboxes never belong to root");
    }
    const user = { name: `${only.uid}`, ...only, socketGroup: host.mailOwner!.gid };
    return { user, capabilities: [] };
  }
  if (!uids) return undefined;
  return { user: host.mailOwner, capabilities: ["chown", "dac_override", "fowner"] };
}
