/** `policy`: what each role may do, in six forms, from the same table that the supervisor enforces. */

import type { Configuration } from "../../shared/config/configuration.ts";
import { bwrapArguments } from "../../policies/bwrap.ts";
import { denoFlags } from "../../policies/deno_flags.ts";
import { answersOf, type Grant, grantOf } from "../../policies/grant.ts";
import { policies } from "../../policies/mod.ts";
import { workerPermissions } from "../../policies/worker.ts";
import { asJson, asMermaid, asTable, type Shown, supervisorText } from "../../policies/show.ts";
import { EX } from "../../shared/errors.ts";
import { valueOf } from "../../shared/parameters/declare.ts";
import { supervisorParameters } from "../../shared/parameters/supervisor.ts";
import { readHost } from "../supervisor/host.ts";
import { commandLine } from "../supervisor/launch.ts";
import { bindsOf } from "../supervisor/own_sockets.ts";
import { endpoints, rowsInUse, wantedServices } from "../supervisor/plans.ts";
import { chooseLayers, findRuntime } from "../supervisor/runtime.ts";
import { settingsOf } from "../supervisor/settings.ts";
import { type CommandIo, loadForCommand, refuseBroken, takeConfigDirectory } from "./io.ts";
import { verify } from "./policy_verify.ts";

const USAGE =
  "usage: postern policy [-c DIR] [--format=table|flags|bwrap|worker|json|mermaid] [ROLE ...]\n" +
  "       postern policy [-c DIR] --verify [--each] [ROLE ...]\n";

/** Prints the policy rows of this configuration, of all roles or of those that are named; `--verify` tries them. */
export async function policy(given: string[], io: CommandIo): Promise<number> {
  const { args, directory } = takeConfigDirectory(given, io);
  const format = args.find((arg) => arg.startsWith("--format="))?.slice("--format=".length) ??
    "table";
  const roles = args.filter((arg) => !arg.startsWith("--"));
  const verifying = args.includes("--verify");
  if (args.some((arg) => arg.startsWith("--") && !isOption(arg, verifying))) {
    io.err(USAGE);
    return EX.USAGE;
  }
  const configuration = loadForCommand(io, directory);
  const settings = settingsOf(configuration);
  const host = readHost(configuration.value("mail_owner"));
  const queue = settings.value("queue_directory");
  const all = wantedServices(configuration).map((wanted) => {
    const { row, service } = wanted;
    const grant = grantOf(row, service, settings, host);
    return {
      row,
      grant,
      binds: bindsOf(queue, answersOf(row, service, settings), endpoints(wanted, settings), 1),
    };
  });
  const shown: typeof all = roles.length
    ? all.filter(({ row, grant }) => roles.includes(row.role) || roles.includes(grant.service))
    : all;
  const idle = notStarted(configuration)
    .filter(({ role }) => !roles.length || roles.includes(role)).map(({ text }) => text);
  if (roles.length && !shown.length && (verifying || !roles.includes("supervisor"))) {
    io.err(`policy: ${nothingToShow(roles, idle)}\n`);
    return EX.USAGE;
  }
  if (verifying) {
    const options = { each: args.includes("--each"), idle };
    return refuseBroken("policy", configuration, io) ??
      await verify(configuration, shown, options, io);
  }
  const runtime = findRuntime();
  const layers = await chooseLayers(valueOf(supervisorParameters.sandbox, configuration), host);
  const forms: Record<string, () => string> = {
    table: () => (roles.length ? "" : supervisorText() + "\n") + asTable(shown, settings),
    flags: () => each(shown, denoFlags),
    bwrap: () =>
      each(shown, (grant) => bwrapArguments(grant, { ...runtime, setpriv: layers.setpriv })),
    worker: () =>
      shown.map(({ grant, binds }) =>
        `${grant.service}: ${JSON.stringify(workerPermissions(grant, binds))}\n`
      ).join(""),
    json: () => asJson(shown, (grant) => commandLine(grant, runtime, layers)),
    mermaid: () => asMermaid(all, settings),
  };
  const form = Object.hasOwn(forms, format) ? forms[format] : undefined;
  if (!form) {
    io.err(USAGE);
    return EX.USAGE;
  }
  io.out(form());
  return EX.OK;
}

/** The roles of the table that this configuration does not start, and why. */
function notStarted(configuration: Configuration): { role: string; text: string }[] {
  const used = rowsInUse(configuration);
  return policies.filter((row) => !used.includes(row)).map(({ role, start }) => {
    const why = start === "with a log file"
      ? "without maillog_file and syslog_socket there is no log to write"
      : "master.cf has no line for it";
    return { role, text: `${role} is not started by this configuration: ${why}` };
  });
}

function nothingToShow(roles: readonly string[], idle: readonly string[]): string {
  if (idle.length) return idle.join("; ");
  return roles.includes("supervisor")
    ? "supervisor may do what its user may: there is nothing to try"
    : `no such role: ${roles.join(" ")}`;
}

function isOption(arg: string, verifying: boolean): boolean {
  return verifying ? arg === "--verify" || arg === "--each" : arg.startsWith("--format=");
}

function each(shown: readonly Shown[], words: (grant: Grant) => string[]): string {
  return shown.map(({ grant }) => `${grant.service}: ${words(grant).join(" ")}\n`).join("");
}
