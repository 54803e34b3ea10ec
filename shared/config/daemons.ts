/** The daemons that master.cf may name: which of them this system has, and how it does the work of the others. */

import { commandsOf, policies, policyOfCommand } from "../../policies/mod.ts";
import type { Parameters } from "../parameters/declare.ts";
import { parametersOf } from "../parameters/mod.ts";
import { keys } from "../parameters/supervisor.ts";

/**
 * `role`: a process of its own here. `inside`: the work is done within another role, so the line is accepted and starts
 * nothing. `missing`: Postfix has it, this system does not yet.
 */
export type Daemon = "role" | "inside" | "missing";

const INSIDE = ["error", "discard", "flush", "scache", "proxymap", "proxywrite", "tlsmgr"];
const MISSING = [
  ...["verify", "local", "pipe", "spawn", "postscreen", "dnsblog", "tlsproxy", "qmqpd", "oqmgr"],
  "nbdb_reindexd",
];

const daemons: ReadonlyMap<string, Daemon> = new Map([
  ...INSIDE.map((command): [string, Daemon] => [command, "inside"]),
  ...MISSING.map((command): [string, Daemon] => [command, "missing"]),
  // What has a row is no longer missing.
  ...policies.flatMap(commandsOf).map((command): [string, Daemon] => [command, "role"]),
]);

/** The daemons that serve inet connections. */
export const inetDaemons: readonly string[] = policies.filter(({ inet }) => inet)
  .flatMap(commandsOf);

/** What there is of a daemon; undefined when not even Postfix has one of this name. */
export function daemon(command: string): Daemon | undefined {
  return daemons.get(command);
}

/** The parameters that a daemon is told of; undefined for one that is no role. */
export function parametersOfDaemon(command: string): Parameters | undefined {
  const row = policyOfCommand(command);
  return row && { ...parametersOf(row.role), ...(row.inet ? keys : {}) };
}
