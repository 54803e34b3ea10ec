/** What is wrong with a configuration beyond single values: parameters that must fit together, tables that must open. */

import { normalize } from "@std/path";
import { ConfigError, PeerError } from "../errors.ts";
import { parseNexthop } from "../net/nexthop.ts";
import { parseTransport, type TransportValue } from "../parameters/parsers.ts";
import { splitList } from "../parameters/split_list.ts";
import { catalogue } from "../parameters/mod.ts";
import { smtpdParameters } from "../parameters/smtpd.ts";
import { virtualParameters } from "../parameters/virtual.ts";
import { serverComplaints } from "../smtp/server_rules.ts";
import { examineTables } from "../table/examine.ts";
import { tablesOf } from "../table/spec.ts";
import type { Configuration } from "./configuration.ts";
import { daemon } from "./daemons.ts";
import type { MasterEntry } from "./master_cf.ts";
import { type Problem, problem } from "./problem.ts";

/** The problems of lists, tables and classes of domains; `readTables`: see `examineTables()`; `hasTls`: a service has a certificate. */
export function combinedProblems(
  configuration: Configuration,
  { readTables, hasTls }: { readTables: boolean; hasTls: (service: MasterEntry) => boolean },
): Problem[] {
  return [
    ...configuration.services.flatMap((service) => verifyServer(configuration, service, hasTls)),
    ...verifyTables(configuration, readTables),
    ...verifyClasses(configuration),
    ...verifyTransports(configuration),
    ...verifyLogFile(configuration),
    ...configuration.services.flatMap((service) => verifyMailboxes(configuration, service)),
  ];
}

/** What smtpd itself would refuse to start with. */
function verifyServer(
  configuration: Configuration,
  service: MasterEntry,
  hasTls: (service: MasterEntry) => boolean,
): Problem[] {
  if (service.command !== "smtpd") return [];
  try {
    return serverComplaints(configuration.typed(smtpdParameters, service), hasTls(service))
      .map(({ parameter, text }) =>
        problem("fatal", configuration.blame(parameter, service), parameter, text)
      );
  } catch (error) {
    // A bad value, which was reported by itself.
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

function verifyTables(configuration: Configuration, read: boolean): Problem[] {
  const problems: Problem[] = [];
  const isSet = (name: string) => configuration.main.entries.has(name);
  const aliases = tablesOf(configuration.value("alias_maps"));
  const used = [...catalogue.values()].filter(({ tables, name }) =>
    tables && isUsed(configuration, name)
  );
  // What several parameters name is reported for the one that somebody wrote.
  const inOrder = used.toSorted((a, b) => Number(isSet(b.name)) - Number(isSet(a.name)));
  for (const { name, fixedResults = false } of inOrder) {
    const value = configuration.value(name);
    // Tables that can never be were reported as bad values.
    if (!parses(name, value)) continue;
    const kind = (spec: string) => ({
      aliases: aliases.includes(spec.replace(/^proxy:/, "")),
      fixedResults,
    });
    for (const { severity, text } of examineTables(value, read, kind)) {
      if (problems.some((each) => each.text === text)) continue;
      problems.push(problem(severity, configuration.blame(name), name, text));
    }
  }
  return problems;
}

/** Aliases are asked through local_recipient_maps alone, and that only where there are local domains. */
function isUsed(configuration: Configuration, name: string): boolean {
  if (name === "local_recipient_maps") return configuration.value("mydestination") !== "";
  return name !== "alias_maps";
}

function parses(name: string, text: string): boolean {
  try {
    catalogue.get(name)!.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Pairs of lists that must not have a domain in common: one of them would never be asked. */
const EXCLUSIVE = [
  ["mydestination", "virtual_alias_domains"],
  ["mydestination", "virtual_mailbox_domains"],
  ["virtual_alias_domains", "virtual_mailbox_domains"],
  ["virtual_alias_domains", "relay_domains"],
  ["virtual_mailbox_domains", "relay_domains"],
] as const;

/** Domains of two classes, as far as their names are written down: those in tables are seen when they are looked up. */
function verifyClasses(configuration: Configuration): Problem[] {
  const names = (list: string) =>
    parses(list, configuration.value(list))
      ? splitList(configuration.value(list)).map((name) => name.toLowerCase())
        .filter((name) => !/[:/!]/.test(name))
      : [];
  return EXCLUSIVE.flatMap(([first, second]) => {
    const others = new Set(names(second));
    return names(first).filter((name) => others.has(name)).map((domain) => {
      const text = `do not list domain ${domain} in BOTH ${first} and ${second}`;
      return problem("warning", configuration.blame(second), second, text);
    });
  });
}

/** The parameters that name the transport of a class, and those that list its domains; all others have the last. */
const CLASSES = [
  ["local_transport", "mydestination"],
  ["virtual_transport", "virtual_mailbox_domains"],
  ["relay_transport", "relay_domains"],
  ["default_transport", ""],
] as const;

/** The transport of each class that has domains, with the parameter that names it; what is no value is told elsewhere. */
function transportsInUse(configuration: Configuration): (TransportValue & { name: string })[] {
  return CLASSES.flatMap(([name, domains]) => {
    const value = configuration.value(name);
    if (domains && !configuration.value(domains) || !parses(name, value)) return [];
    return [{ name, ...parseTransport(value) }];
  });
}

/** A service that master.cf does not have, or that nobody has built, makes all mail of the class wait, as does a bad nexthop. */
function verifyTransports(configuration: Configuration): Problem[] {
  const commands = new Map(configuration.services.map(({ name, command }) => [name, command]));
  return transportsInUse(configuration).flatMap(({ name, transport, nexthop }) => {
    const command = commands.get(transport), why = nexthopProblem(command, nexthop);
    if (!transport || command && daemon(command) !== "missing" && !why) return [];
    const text = why
      ? `${why}: mail for it must wait`
      : command
      ? `${command} is not built yet: mail for ${transport} must wait`
      : `master.cf has no service ${transport}: mail for it must wait`;
    return [problem("warning", configuration.blame(name), name, text)];
  });
}

/** Why smtp or lmtp cannot read the nexthop that a parameter sets; undefined when they can, and for all other services. */
function nexthopProblem(command: string | undefined, nexthop: string): string | undefined {
  if (!nexthop || command !== "smtp" && command !== "lmtp") return undefined;
  try {
    parseNexthop(nexthop, command === "lmtp", "25");
    return undefined;
  } catch (error) {
    if (error instanceof PeerError) return error.message;
    throw error;
  }
}

/** A slip of the pen must not give /etc/passwd to mail_owner. */
function verifyLogFile(configuration: Configuration): Problem[] {
  const name = "maillog_file", file = configuration.value(name);
  const prefixes = splitList(configuration.value("maillog_file_prefixes"));
  const isBelow = (prefix: string) =>
    file === prefix || file.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
  if (!file || file === normalize(file) && prefixes.some(isBelow)) return [];
  const text = `is not below one of maillog_file_prefixes (${prefixes.join(", ")}): ` +
    "move it there, or add its directory";
  return [problem("fatal", configuration.blame(name), name, text)];
}

/** Mail that smtpd lets in and virtual does not take would wait until it is returned. */
function verifyMailboxes(configuration: Configuration, service: MasterEntry): Problem[] {
  const isUsed = transportsInUse(configuration).some(({ transport }) => transport === service.name);
  if (service.command !== "virtual" || !isUsed) return [];
  try {
    const { virtualMailboxBase, virtualMailboxLimit, messageSizeLimit } = configuration.typed(
      virtualParameters,
      service,
    );
    if (!virtualMailboxBase) {
      const base = "virtual_mailbox_base", text = `is empty: mail for ${service.name} must wait`;
      return [problem("warning", configuration.blame(base, service), base, text)];
    }
    if (virtualMailboxLimit >= messageSizeLimit) return [];
    const name = "virtual_mailbox_limit";
    const text = "is smaller than message_size_limit: larger mail must wait";
    const places = [name, "message_size_limit"].map((each) => configuration.blame(each, service));
    const place = places.find(({ line }) => line) ?? places[0]!;
    return [problem("warning", place, name, text)];
  } catch (error) {
    // A bad value, which was reported by itself.
    if (error instanceof ConfigError) return [];
    throw error;
  }
}
