/** What the policy needs to know of a configuration, and what it finds there: table files, ports, sockets. */

import { foreignSocket } from "../shared/layout.ts";
import { parseAddress } from "../shared/net/network.ts";
import { serverSocket } from "../shared/net/nexthop.ts";
import { portOf } from "../shared/net/port.ts";
import { valueOf } from "../shared/parameters/declare.ts";
import { network } from "../shared/parameters/global.ts";
import { parseTransport } from "../shared/parameters/parsers.ts";
import { smtpParameters } from "../shared/parameters/smtp.ts";
import { resultsOf } from "../shared/table/results.ts";
import { tableFiles } from "../shared/table/spec.ts";

/** One line of master.cf, as far as the policy is concerned. */
export interface ServiceLine {
  readonly name: string;
  readonly type: string;
  readonly command: string;
}

export interface Settings {
  /** The expanded text of a parameter; with a line, as that service's own overrides have it. */
  value(name: string, line?: ServiceLine): string;
  readonly services: readonly ServiceLine[];
  /** Lines go to postlogd, not to standard error. */
  readonly logsToService: boolean;
  /** What stands before the slash in the process names of a service. */
  syslogName(line: ServiceLine | undefined): string;
  /** The names and expanded texts of every parameter that holds lookup tables. */
  readonly tables: ReadonlyMap<string, string>;
  /** The text of a configuration table, empty when it cannot be read now. */
  readTable(file: string): string;
}

/** Every file that some table of the configuration lives in. */
export function tableFilesOf(settings: Settings): string[] {
  const files = new Set<string>();
  for (const text of settings.tables.values()) {
    for (const file of tableFiles(text)) files.add(file);
  }
  return [...files].sort();
}

/** The parameters whose text may name where mail is sent. */
const ROUTES = [
  "transport_maps",
  "relayhost",
  "default_transport",
  "relay_transport",
  "local_transport",
  "virtual_transport",
  "sender_dependent_relayhost_maps",
  "sender_dependent_default_transport_maps",
  "smtp_fallback_relay",
];

/**
 * The hosts and sockets that a transport may connect to: the standard ports anywhere, and what the configuration names, with the
 * overrides of its line.
 */
export function smtpDestinations(
  settings: Settings,
  line?: ServiceLine,
): { hosts: string[]; sockets: string[] } {
  const own = { value: (name: string) => settings.value(name, line) };
  const ports = new Set(valueOf(smtpParameters.allowedPorts, own));
  const hosts = new Set<string>();
  const sockets = new Set<string>();
  for (const text of ROUTES.flatMap((name) => routeTexts(own.value(name), settings))) {
    // What looks like a port within brackets is part of an IPv6 address.
    const unbracketed = text.replace(/\[[^\][]*\]/g, "[]");
    for (const [, port] of unbracketed.matchAll(/[\]a-z0-9]:([0-9]{2,5})\b/gi)) {
      if (portOf(port!)) ports.add(port!);
    }
    for (
      const [, address, port] of text.matchAll(
        /\[(?:ipv6:)?([0-9a-f]*:[0-9a-f:.]+)\](?::([0-9]+))?/gi,
      )
    ) {
      if (parseAddress(address!) && portOf(port ?? "25")) hosts.add(`[${address}]:${port ?? 25}`);
    }
    for (const [, named] of text.matchAll(/unix:([^\s,}]+)/g)) {
      const path = serverSocket(named!);
      if (path !== undefined) sockets.add(foreignSocket(own.value("queue_directory"), path));
    }
  }
  // Deno cannot say "any IPv6 address, this port": with IPv6 wanted, nothing holds the role to these ports.
  const four = valueOf(network.inetProtocols, own).every((word) => word === "ipv4");
  if (!four) return { hosts: ["*"], sockets: [...sockets] };
  for (const port of ports) hosts.add(`0.0.0.0/0:${port}`);
  return { hosts: [...hosts], sockets: [...sockets] };
}

/** What follows the names of these transports is for people: it may look like anything. */
const WITHOUT_SERVERS = ["error", "retry", "discard"];

function routeTexts(text: string, settings: Settings): string[] {
  return [text, ...resultsOf(text, settings.readTable)]
    .filter((route) => !WITHOUT_SERVERS.includes(parseTransport(route).transport));
}
