/** `policy`: what each role may do, in six forms, from the same table that the supervisor enforces. */

import { bwrapArguments } from "../../policies/bwrap.ts";
import { denoFlags } from "../../policies/deno_flags.ts";
import { answersOf, type Grant, grantOf } from "../../policies/grant.ts";
import { workerPermissions } from "../../policies/worker.ts";
import { asJson, asMermaid, asTable, type Shown, supervisorText } from "../../policies/show.ts";
import { EX } from "../../shared/errors.ts";
import { readHost } from "../supervisor/host.ts";
import { commandLine } from "../supervisor/launch.ts";
import { bindsOf } from "../supervisor/own_sockets.ts";
import { endpoints, wantedServices } from "../supervisor/plans.ts";
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
      binds: bindsOf(queue, answersOf(row, service), endpoints(wanted, settings), 1),
    };
  });
  const shown: typeof all = roles.length
    ? all.filter(({ row, grant }) => roles.includes(row.role) || roles.includes(grant.service))
    : all;
  if (roles.length && !shown.length && !roles.includes("supervisor")) {
    io.err(`policy: no such role: ${roles.join(" ")}\n`);
    return EX.USAGE;
  }
  if (verifying) {
    return refuseBroken("policy", configuration, io) ??
      await verify(configuration, shown, args.includes("--each"), io);
  }
  const runtime = findRuntime();
  const layers = await chooseLayers(configuration.value("sandbox"), host);
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

function isOption(arg: string, verifying: boolean): boolean {
  return verifying ? arg === "--verify" || arg === "--each" : arg.startsWith("--format=");
}

function each(shown: readonly Shown[], words: (grant: Grant) => string[]): string {
  return shown.map(({ grant }) => `${grant.service}: ${words(grant).join(" ")}\n`).join("");
}
