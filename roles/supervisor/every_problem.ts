/** Everything that is wrong with a configuration on this host: `postern check` shows it, and nothing starts with it. */

import { grantOf } from "../../policies/grant.ts";
import { commandsOf, policies, policyOfCommand, type Row } from "../../policies/mod.ts";
import type { Settings } from "../../policies/settings.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { inetName } from "../../shared/config/inet_name.ts";
import type { MasterEntry } from "../../shared/config/master_cf.ts";
import { inOrder, type Place, type Problem, problem } from "../../shared/config/problem.ts";
import { combinedProblems } from "../../shared/config/combined_problems.ts";
import { ConfigError, reason } from "../../shared/errors.ts";
import { addressText, parseAddress } from "../../shared/net/network.ts";
import { catalogue } from "../../shared/parameters/mod.ts";
import { valueOf } from "../../shared/parameters/declare.ts";
import { interfaceAddress } from "../../shared/parameters/parsers.ts";
import { supervisorParameters } from "../../shared/parameters/supervisor.ts";
import { findUser, hostAddresses, isRoot, readHost } from "./host.ts";
import { ANY, type Endpoint, keyOf } from "./listeners.ts";
import { readNetworks } from "./network_files.ts";
import { placeProblems } from "./places.ts";
import { endpoints, type Wanted, wantedServices } from "./plans.ts";
import { settingsOf } from "./settings.ts";
import {
  chainFilesOf,
  hasTlsMaterial,
  KeyFileError,
  readTlsMaterial,
  tlsMaterialProblem,
} from "./tls_material.ts";

/** All problems, in the order of the files. `readTables`: tables are read to the end, as long as that takes. */
export function everyProblem(configuration: Configuration, readTables: boolean): Problem[] {
  // Of what cannot be read the host knows nothing.
  if (configuration.unreadable) return [...configuration.problems];
  const bad = new Set(
    configuration.problems.filter(({ severity }) => severity === "fatal")
      .map(({ parameter }) => parameter),
  );
  const hasTls = (service: MasterEntry) => hasTlsMaterial(configuration, service);
  // The host is asked about values that are values.
  const when = (name: string, check: (configuration: Configuration) => Problem[]) =>
    bad.has(name) ? [] : check(configuration);
  const host = [
    ...when("mail_owner", verifyRights),
    ...when("queue_directory", verifyPlaces),
    ...when("inet_interfaces", verifyInterfaces),
    ...verifyListeners(configuration),
    ...when("mynetworks", verifyNetworks),
    ...when("smtpd_tls_chain_files", verifyTls),
  ].filter(({ parameter }) => !bad.has(parameter));
  return inOrder([
    ...configuration.problems,
    ...verifyLines(configuration),
    ...verifyCalls(configuration),
    ...combinedProblems(configuration, { readTables, hasTls }),
    ...host,
  ]);
}

/** Postfix's names of what is one role here: its own master.cf has a line for each. */
const BOUNCES = ["bounce", "defer", "trace"];

/** Lines that start nothing and change nothing: of a daemon that has one service here, the first counts. */
function verifyLines(configuration: Configuration): Problem[] {
  const counting = wantedServices(configuration);
  return configuration.services.flatMap((entry) => {
    const { command, name, line, overrides } = entry;
    const first = counting.find(({ row }) => row === policyOfCommand(command))?.entry;
    if (!first || counting.some((each) => each.entry === entry)) return [];
    if (command === "bounce" && BOUNCES.includes(name) && !overrides.size) return [];
    const text = `has no effect: ${command} is one service here, that of line ${first.line}`;
    return [problem("warning", { file: configuration.master.file, line }, name, text)];
  });
}

/** Services whose roles call others that no line starts. */
function verifyCalls(configuration: Configuration): Problem[] {
  const rows = [...new Set(wantedServices(configuration).map(({ row }) => row))];
  const missing = new Map<string, string[]>();
  for (const caller of rows) {
    const lacks = caller.calls.filter((call) => !rows.some(({ answers }) => answers.includes(call)))
      .map((call) => policies.find(({ answers }) => answers.includes(call))!);
    for (const name of new Set(lacks.map(commandOf))) {
      missing.set(name, [...missing.get(name) ?? [], commandOf(caller)]);
    }
  }
  return [...missing].map(([name, callers]) => {
    const text = `has no line for ${name}, which ${callers.join(" and ")} cannot do without`;
    return problem("warning", { file: configuration.master.file, line: 0 }, "", text);
  });
}

/** As master.cf names it first. */
function commandOf(row: Row): string {
  return commandsOf(row)[0]!;
}

/** The user that roles run as, and what else the policy makes of the configuration. */
function verifyRights(configuration: Configuration): Problem[] {
  const owner = verifyOwner(configuration);
  if (owner.some(({ severity }) => severity === "fatal")) return owner;
  const host = readHost(configuration.value("mail_owner")), settings = settingsOf(configuration);
  const found = wantedServices(configuration).flatMap(({ row, service }) => {
    try {
      grantOf(row, service, settings, host);
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      // `parameter: what is wrong with it`.
      const [, name = "", text = ""] = /^(\w+): ([^]*)$/.exec(error.message) ?? [];
      return [problem("fatal", configuration.blame(name), name, text)];
    }
  });
  return [...owner, ...found];
}

/** Accounts that hosts have for whatever needs no rights, by name and by number. */
const ANYBODYS: ReadonlySet<string | number> = new Set(["nobody", "daemon", 65534, 1]);

/** Only root needs another user to run as; others are told when they named one. */
function verifyOwner(configuration: Configuration): Problem[] {
  const name = configuration.value("mail_owner"), place = configuration.blame("mail_owner");
  const user = findUser(name);
  if (user && user.uid !== 0) {
    if (!isRoot() || !(ANYBODYS.has(user.name) || ANYBODYS.has(user.uid))) return [];
    const text =
      `"${name}" is not the mail system's alone: whatever else runs as it may read and change the queue: ` +
      "make an account (useradd --system --shell /usr/sbin/nologin postern) and name it here";
    return [problem("warning", place, "mail_owner", text)];
  }
  const text = user ? `must not be root: "${name}"` : `no such user: "${name}"`;
  if (isRoot()) return [problem("fatal", place, "mail_owner", text)];
  if (!place.line) return [];
  return [problem("warning", place, "mail_owner", `${text}: it will not start as root`)];
}

/** What this user must not or cannot start on, once it is known whom the roles run as. */
function verifyPlaces(configuration: Configuration): Problem[] {
  if (verifyOwner(configuration).some(({ severity }) => severity === "fatal")) return [];
  const host = readHost(configuration.value("mail_owner"));
  return placeProblems(configuration, host).map(({ parameter, text }) =>
    problem("fatal", configuration.blame(parameter), parameter, text)
  );
}

/** Addresses of other hosts, in inet_interfaces and in the names of inet services. */
function verifyInterfaces(configuration: Configuration): Problem[] {
  const own = new Set(hostAddresses().map((address) => addressOf(address.replace(/%.*$/, ""))));
  const isForeign = (word: string) => {
    const address = interfaceAddress(word);
    // All of 127.0.0.0/8 is this host, listed or not.
    return address !== undefined && !address.startsWith("127.") && !own.has(address) &&
      !ANY.includes(address);
  };
  const complain = (place: Place, name: string, word: string) =>
    problem("fatal", place, name, `this host has no such address: "${word}"`);
  const name = "inet_interfaces";
  const { file } = configuration.master;
  return [
    ...valueOf(supervisorParameters.inetInterfaces, configuration).filter(isForeign)
      .map((word) => complain(configuration.blame(name), name, word)),
    ...configuration.services.flatMap(({ name, type, line }) => {
      const host = type === "inet" && inetName(name)?.host;
      return host && isForeign(host) ? [complain({ file, line }, name, host)] : [];
    }),
  ];
}

/** Of two services on one socket clients would reach either, at random, and with it its restrictions. */
function verifyListeners(configuration: Configuration): Problem[] {
  const settings = settingsOf(configuration), lines = new Map<string, number>();
  return wantedServices(configuration).flatMap((wanted) => {
    const { name = "", line = 0 } = wanted.entry ?? {};
    const keys = endpointsOrNone(wanted, settings).map(keyOf);
    const taken = keys.find((key) => lines.has(key));
    const first = taken && lines.get(taken);
    for (const key of keys) lines.set(key, line);
    if (!first) return [];
    const text = `must not listen on ${taken}, where the service of line ${first} does`;
    return [problem("fatal", { file: configuration.master.file, line }, name, text)];
  });
}

/** What cannot be an address is told elsewhere. */
function endpointsOrNone(wanted: Wanted, settings: Settings): Endpoint[] {
  try {
    return endpoints(wanted, settings);
  } catch (error) {
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

function addressOf(text: string): string | undefined {
  const bytes = parseAddress(text);
  return bytes && addressText(bytes);
}

function verifyNetworks(configuration: Configuration): Problem[] {
  const isSet = (name: string) => Number(configuration.main.entries.has(name));
  // What several lists name by $mynetworks is reported for the one that somebody wrote.
  const names = [...catalogue.values()].filter(({ networks }) => networks).map(({ name }) => name)
    .toSorted((a, b) => isSet(b) - isSet(a));
  return serversOf(configuration).flatMap((service) => {
    const problems: Problem[] = [];
    for (const name of names) {
      const found = (severity: Problem["severity"], text: string) => {
        if (problems.some((each) => each.text === text)) return;
        problems.push(problem(severity, configuration.blame(name, service), name, text));
      };
      try {
        readNetworks(configuration.value(name, service), (text) => found("warning", text));
      } catch (error) {
        found("fatal", reason(error));
      }
    }
    return problems;
  });
}

function verifyTls(configuration: Configuration): Problem[] {
  return serversOf(configuration).flatMap((service) => verifyMaterial(configuration, service));
}

function verifyMaterial(configuration: Configuration, service: MasterEntry): Problem[] {
  const chain = chainFilesOf(configuration, service).length > 0;
  const name = chain ? "smtpd_tls_chain_files" : "smtpd_tls_cert_file";
  try {
    const material = readTlsMaterial(configuration, service);
    const text = material && tlsMaterialProblem(material);
    return text ? [problem("fatal", configuration.blame(name, service), name, text)] : [];
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error;
    const { parameter, text, denied } = error;
    // Who checks may be another than who starts.
    const severity = denied && !isRoot() ? "warning" : "fatal";
    return [problem(severity, configuration.blame(parameter, service), parameter, text)];
  }
}

/** The lines of master.cf whose daemons serve clients. */
function serversOf({ services }: Configuration): MasterEntry[] {
  return services.filter(({ command }) => policyOfCommand(command)?.inet);
}
