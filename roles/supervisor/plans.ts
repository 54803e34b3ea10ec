/** From the configuration and the policy to what is started: one plan per service. */

import {
  answersOf,
  type Grant,
  grantOf,
  hasMany,
  logsOf,
  nameServersOf,
} from "../../policies/grant.ts";
import { commandsOf, policies, policyOfCommand, type Row } from "../../policies/mod.ts";
import type { Settings } from "../../policies/settings.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import type { MasterEntry } from "../../shared/config/master_cf.ts";
import { processOfLog, socketPath } from "../../shared/layout.ts";
import { warning } from "../../shared/log/log.ts";
import { valueOf } from "../../shared/parameters/declare.ts";
import { parametersOf } from "../../shared/parameters/mod.ts";
import { supervisorParameters } from "../../shared/parameters/supervisor.ts";
import { knock } from "./hearing.ts";
import { descriptorLimit, hostAddresses, hostsFile } from "./host.ts";
import type { Plan } from "./keeper.ts";
import { movedAway } from "./moved_away.ts";
import type { Handover } from "./member.ts";
import { launch } from "./launch.ts";
import type { OwnSockets } from "./own_sockets.ts";
import { type Endpoint, endpointsOf } from "./listeners.ts";
import { readNetworks } from "./network_files.ts";
import type { System } from "./system.ts";
import { readTlsMaterial } from "./tls_material.ts";

/** A service that is to run: a line of master.cf, or one that every system has. */
export interface Wanted {
  readonly row: Row;
  readonly service: string;
  /** The line of master.cf, for its overrides; undefined for implied services. */
  readonly entry: MasterEntry | undefined;
}

/** Descriptors of a role that serves clients beside theirs: its own, and a backlog (511) of clients to be turned away. */
const OTHER_DESCRIPTORS = 600;

/** The services that the configuration asks for. */
export function wantedServices(configuration: Configuration): Wanted[] {
  const wanted: Wanted[] = [];
  const known = (row: Row) => wanted.some((each) => each.row === row);
  for (const entry of configuration.services) {
    const row = policyOfCommand(entry.command);
    if (!row) continue; // Named in a warning when the configuration was read.
    const many = hasMany(row);
    // bounce, defer and trace are one role here.
    if (!many && known(row)) continue;
    wanted.push({ row, service: many ? entry.name : row.role, entry });
  }
  for (const row of policies) {
    if (row.implied && !known(row)) wanted.push({ row, service: row.role, entry: undefined });
  }
  return wanted.filter(({ row }) =>
    row.start !== "with a log file" || logsToService(configuration)
  );
}

/** True when postlogd has a file or a socket to write to. */
export function logsToService(configuration: Configuration): boolean {
  return Boolean(configuration.value("maillog_file") || configuration.value("syslog_socket"));
}

/** The plans of all services. */
export function plansOf(system: System): Plan[] {
  return wantedServices(system.configuration).map((wanted) => planOf(wanted, system));
}

/** Every inet address that the configuration listens on. */
export function inetEndpoints(system: System): Endpoint[] {
  return wantedServices(system.configuration).flatMap((wanted) =>
    endpoints(wanted, system.settings)
  );
}

/** The inet addresses that a service listens on; none but for smtpd. */
export function endpoints({ row, entry }: Wanted, settings: Settings): Endpoint[] {
  if (!row.inet || !entry || entry.type !== "inet") return [];
  return endpointsOf(
    entry.name,
    valueOf(supervisorParameters.inetInterfaces, settings),
    valueOf(supervisorParameters.inetProtocols, settings),
  );
}

/** The plan of one service; binds what it answers on, where that can be handed over. */
export function planOf(wanted: Wanted, system: System): Plan {
  const { row, service, entry } = wanted;
  const grant = grantOf(row, service, system.settings, system.host);
  const onRequest = row.start === "on request";
  const answers = answersOf(row, service, system.settings);
  const logs = logSockets(grant, system);
  return {
    service,
    role: row.role,
    answers,
    knock: (name) => knock(socketPath(system.listeners.queue, name)),
    count: processesOf(wanted, system),
    onRequest,
    throttleMs: valueOf(supervisorParameters.serviceThrottleTime, system.configuration) * 1000,
    outdated: row.writes?.includes("maillog")
      ? movedAway(system.settings.value("maillog_file"))
      : undefined,
    fixed: row.reload === "in place" ? fixedOf(grant, system) : undefined,
    handover: {
      start: {
        type: "start",
        service,
        role: entry && commandsOf(row).length > 1 ? entry.command : row.role,
        hostname: system.configuration.logHostname,
        parameters: parameters(wanted, system),
        sockets: callSockets(grant),
        log: logs,
        onRequest: requestable(grant, system),
        connections: connectionsEach(answers.length, system),
        tls: row.inet ? readTlsMaterial(system.configuration, entry) : null,
        maxIdleSeconds: onRequest && row.reload === "replaced" ? maxIdle(system) : 0,
      },
      listeners: system.layers.worker ? [] : handles(wanted, system),
    },
    ...(system.layers.worker ? { ownSockets: ownSockets(wanted, grant, system) } : {}),
    launch: (options) => {
      const logged = Object.keys(logs).length > 0;
      return launch(grant, system.runtime, system.layers, { logged, ...options });
    },
  };
}

/** The plan of a service that runs, made anew from the configuration in force. */
export function planAgain({ role, service }: Plan, system: System): Plan {
  const wanted = wantedServices(system.configuration)
    .find((each) => each.row.role === role && each.service === service)!;
  return planOf(wanted, system);
}

/** What a process is started with and cannot be given later: its rights, and who it is in the log. */
function fixedOf(grant: Grant, { configuration }: System): string {
  return JSON.stringify([grant, configuration.logHostname, configuration.value("syslog_name")]);
}

/** The listening sockets that the supervisor binds and hands over. */
function handles(wanted: Wanted, system: System): Handover["listeners"] {
  return [
    ...answersOf(wanted.row, wanted.service, system.settings).map((name) => ({
      answers: name,
      handle: system.listeners.service(name),
    })),
    ...endpoints(wanted, system.settings).map((endpoint) => ({
      answers: "",
      handle: system.listeners.inet(endpoint, `master.cf: ${wanted.service}`),
    })),
  ];
}

/** The names of the sockets that each new process binds by itself; throws ConfigError for a port that is taken. */
function ownSockets(wanted: Wanted, grant: Grant, system: System): () => OwnSockets {
  const answers = answersOf(wanted.row, wanted.service, system.settings);
  const inet = endpoints(wanted, system.settings);
  for (const each of inet) system.listeners.leaveInet(each, `master.cf: ${wanted.service}`);
  return () => system.ownSockets.next(answers, inet, grant.user);
}

/** A socket that a role in a worker binds by itself cannot be shared, but for a port. */
function single(row: Row, { layers }: System): boolean {
  return !row.scales || Boolean(layers.worker && !row.inet);
}

/** Services to call: a table may name any of them as a transport. */
function callSockets({ sockets }: Grant): Record<string, string> {
  const calls = Object.entries(sockets).filter(([name]) => processOfLog(name) === undefined);
  return Object.fromEntries(calls);
}

/** The sockets for a service's lines, by the program that says them. */
function logSockets(
  { row, service, sockets }: Grant,
  { settings }: System,
): Record<string, string> {
  const services = Object.entries(logsOf(row, service, settings));
  return Object.fromEntries(services.map(([program, name]) => [program, sockets[name]!]));
}

/** Which of the services that this one calls must be asked for before connecting. */
function requestable(grant: Grant, system: System): string[] {
  const wanted = wantedServices(system.configuration);
  const onRequest = new Set(
    wanted.filter(({ row }) => row.start === "on request")
      .flatMap(({ row, service }) => answersOf(row, service, system.settings)),
  );
  return Object.keys(grant.sockets).filter((name) => onRequest.has(name));
}

function parameters(wanted: Wanted, system: System): Record<string, string> {
  const { row, entry } = wanted;
  const declared = parametersOf(row.role);
  const texts = system.configuration.texts(declared, entry);
  for (const { name, networks } of Object.values(declared)) {
    if (networks) texts[name] = readNetworks(texts[name]!);
    const text = WORKED_OUT[name]?.(texts[name]!, system, wanted);
    if (text !== undefined) texts[name] = text;
  }
  return texts;
}

/** Parameters of which a role is handed what the host and master.cf make of them, with the text of main.cf before that. */
const WORKED_OUT: Readonly<
  Record<string, (text: string, system: System, wanted: Wanted) => string>
> = {
  host_addresses: (text) => text || hostAddresses().join(" "),
  default_transport_concurrency_limit: (text, { configuration }) =>
    transportLimits(text, configuration),
  dns_hosts: (text) => text || hostsFile(),
  dns_servers: (_, { settings, host }, { entry }) => nameServersOf(settings, host, entry).join(" "),
  // One process serves many clients here: a number in the maxproc column bounds the clients, as it does in Postfix.
  smtpd_session_limit: (_, { configuration }, { entry }) =>
    String(sessionLimit(clientLimit(configuration, entry), descriptorLimit())),
  qmgr_content_file_limit: (text, system, { row, service }) => {
    const services = answersOf(row, service, system.settings).length;
    const connections = services * connectionsEach(services, system);
    return String(contentFileLimit(Number(text), connections, descriptorLimit()));
  },
};

/** One process makes many deliveries: a number in the maxproc column of a transport bounds them, as it does in Postfix. */
export function transportLimits(text: string, { services }: Configuration): string {
  const limits = JSON.parse(text) as Record<string, string>;
  for (const { name, command, maxproc } of services) {
    if (!maxproc || !policyOfCommand(command)?.answers.includes("delivery")) continue;
    if (!Object.hasOwn(limits, name)) limits[name] = String(maxproc);
  }
  return JSON.stringify(limits);
}

/** How many clients an smtpd should serve: its maxproc, or what main.cf says of `-`, or smtpd_session_limit. */
export function clientLimit(configuration: Configuration, entry: MasterEntry | undefined): number {
  // The default of default_process_limit counts Postfix's processes, each with one client: it is no limit here.
  const isSet = configuration.main.entries.has("default_process_limit");
  const otherwise = isSet ? Number(configuration.value("default_process_limit")) : 0;
  const maxproc = entry?.maxproc ?? otherwise;
  return maxproc || Number(configuration.value("smtpd_session_limit", entry));
}

/** As many clients as are wanted, if there are descriptors: a listener that cannot accept once never does again. */
export function sessionLimit(wanted: number, descriptors: number): number {
  const most = Math.max(1, descriptors - OTHER_DESCRIPTORS);
  if (wanted <= most) return wanted;
  warning(
    `smtpd_session_limit: ${wanted} clients need a larger limit of open files (ulimit -n): at most ${most} are served`,
  );
  return most;
}

/** Each caller has one connection to a service, and for a moment those that it leaves, twice when a reload replaces it. */
const CONNECTIONS_A_CALLER = 4;
/** Commands of the owner, and roles that somebody runs beside the system. */
const OTHER_CALLERS = 20;

/** How many connections each service of a role takes: as many as callers need, if that leaves the role its descriptors. */
export function connectionLimit(callers: number, services: number, descriptors: number): number {
  const most = Math.floor((descriptors - OTHER_DESCRIPTORS) / Math.max(1, services));
  return Math.max(callers, Math.min(callers * CONNECTIONS_A_CALLER + OTHER_CALLERS, most));
}

/** The same for a role with so many services in this system. */
function connectionsEach(services: number, system: System): number {
  return connectionLimit(everyProcess(system), services, descriptorLimit());
}

/** How many large contents qmgr receives at a time, each in a file: half of what its connections leave; others it reads. */
export function contentFileLimit(wanted: number, connections: number, descriptors: number): number {
  const most = Math.max(1, Math.floor((descriptors - OTHER_DESCRIPTORS - connections) / 2));
  return wanted <= most ? wanted : most;
}

/** The processes of the whole system. */
function everyProcess(system: System): number {
  return wantedServices(system.configuration)
    .reduce((sum, wanted) => sum + processesOf(wanted, system), 0);
}

function processesOf({ row, service }: Wanted, system: System): number {
  return single(row, system) ? 1 : processCount(service, system);
}

function processCount(service: string, { configuration }: System): number {
  return Number(
    configuration.value(`${service}_process_count`) || configuration.value("default_process_count"),
  );
}

function maxIdle({ configuration }: System): number {
  return configuration.typed(supervisorParameters).maxIdle;
}

/** The rows whose roles this configuration starts, for people who want to see it. */
export function rowsInUse(configuration: Configuration): Row[] {
  const used = new Set(wantedServices(configuration).map(({ row }) => row));
  return policies.filter((row) => used.has(row));
}
