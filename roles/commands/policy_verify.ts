/** `policy --verify`: what every role could do if it were taken over, tried on this host, as a table of attempt by role. */

import { isThere } from "../../policies/bwrap.ts";
import { answersOf, type Grant } from "../../policies/grant.ts";
import type { Row } from "../../policies/mod.ts";
import { EX } from "../../shared/errors.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { probe } from "../../shared/ipc/probe.ts";
import { socketPath } from "../../shared/layout.ts";
import { valueOf } from "../../shared/parameters/declare.ts";
import { supervisorParameters } from "../../shared/parameters/supervisor.ts";
import type { Bind } from "../../shared/role/control_messages.ts";
import { readHost } from "../supervisor/host.ts";
import { prepare } from "../supervisor/prepare.ts";
import { wantedServices } from "../supervisor/plans.ts";
import { settingsOf } from "../supervisor/settings.ts";
import { chooseLayers, describeLayers, findRuntime, reachable } from "../supervisor/runtime.ts";
import type { CommandIo } from "./io.ts";
import { Decoys } from "./policy_decoys.ts";
import {
  bwrapAlone,
  denoAlone,
  type Finding,
  type Start,
  together,
  type Trial,
  tryGrant,
} from "./policy_probe.ts";

/** What was found of one role. */
interface Column {
  readonly service: string;
  readonly findings: readonly Finding[];
}

/** A service as it would be started. */
export interface Wanted {
  readonly row: Row;
  readonly grant: Grant;
  /** What it binds by itself where it runs in a worker. */
  readonly binds: readonly Bind[];
}

/** What is tried. */
export interface Options {
  /** Each layer by itself, too. */
  readonly each: boolean;
  /** Why roles are left out, in a line for each. */
  readonly idle: readonly string[];
}

/**
 * Starts a probe under each row as the supervisor starts the role, in the layers that `sandbox` gives, then (`each`) in
 * each of them alone. Works beside a running system, and harms nothing of it. Exit 0: everything was refused that must
 * be, and what is granted works.
 */
export async function verify(
  configuration: Configuration,
  wanted: readonly Wanted[],
  { each, idle }: Options,
  io: CommandIo,
): Promise<number> {
  const host = readHost(configuration.value("mail_owner"));
  const layers = await chooseLayers(valueOf(supervisorParameters.sandbox, configuration), host);
  const queue = configuration.value("queue_directory");
  // What a running system has is in force; the configuration may be the next one.
  if (await probe(socketPath(queue, "control")) !== "up") prepare(configuration, host);
  io.out(`confinement: ${describeLayers(layers, host)}\n`);
  using decoys = new Decoys(queue, host);
  using stage = reachable(findRuntime(), host, each ? { ...layers, bwrap: undefined } : layers);
  const start: Start = {
    runtime: { ...stage.runtime, probe: decoys.probe },
    layers,
    host,
    binds: ({ service }) => wanted.find(({ grant }) => grant.service === service)?.binds ?? [],
  };
  const trials = [
    together(start),
    ...(each && layers.bwrap ? [denoAlone(start), bwrapAlone(start)] : []),
  ];
  const grants = onePerRole(wanted).map(({ grant }) => grant);
  let broken = 0;
  for (const trial of trials) {
    const columns = await tryAll(grants, trial, decoys, everyService(configuration));
    io.out(`\n${trial.name} (- is not applicable):\n${table(columns)}`);
    broken += explain(columns, io);
  }
  const untried = [...idle.map((text) => `${text}\n`), ...grants.flatMap(absent)];
  if (untried.length) io.out(`\nnot tried: ${untried.join("not tried: ")}`);
  io.out(
    broken ? `\n${broken} must not be so\n` : "\nevery refusal held, and what is granted works\n",
  );
  return broken ? EX.NOPERM : EX.OK;
}

/** Every service that has a socket. */
function everyService(configuration: Configuration): string[] {
  const answered = wantedServices(configuration).flatMap(({ row, service }) =>
    answersOf(row, service, settingsOf(configuration))
  );
  return [...answered, "control"];
}

/** Places that a role may read once they are there. */
function absent({ row, reads }: Grant): string[] {
  return reads.filter((place) => !isThere(place))
    .map((place) => `${row.role} may read ${place}, which is not there\n`);
}

/** Services of one role differ in nothing that a row says. */
function onePerRole<T extends { row: Row }>(wanted: readonly T[]): T[] {
  return wanted.filter(({ row }, n) => wanted.findIndex((each) => each.row === row) === n);
}

async function tryAll(
  grants: readonly Grant[],
  trial: Trial,
  decoys: Decoys,
  services: readonly string[],
): Promise<Column[]> {
  const columns: Column[] = [];
  for (const grant of grants) {
    columns.push({
      service: grant.row.role,
      findings: await tryGrant(grant, trial, decoys, services),
    });
  }
  return columns;
}

/** Attempts down, roles across. */
function table(columns: readonly Column[]): string {
  const names = [...new Set(columns.flatMap(({ findings }) => findings.map(({ name }) => name)))];
  const first = Math.max(...names.map((name) => name.length)) + 2;
  const wide = ({ service }: Column) => Math.max(service.length, "refused".length) + 1;
  const line = (name: string, cell: (column: Column) => string) =>
    `${name.padEnd(first)}${columns.map((each) => cell(each).padEnd(wide(each))).join("")}`
      .trimEnd() + "\n";
  return line("", ({ service }) => service) +
    names.map((name) =>
      line(name, ({ findings }) => findings.find((each) => each.name === name)?.result ?? "-")
    ).join("");
}

/** One line for each finding that must not be; how many there are. */
function explain(columns: readonly Column[], io: CommandIo): number {
  const broken = columns.flatMap(({ service, findings }) =>
    findings.filter(({ result }) => result === "ALLOWED" || result === "FAILS")
      .map(({ name, result, reason }) => `${service}: ${name}: ${result}: ${reason}\n`)
  );
  if (broken.length) io.out("\n" + broken.join(""));
  return broken.length;
}
