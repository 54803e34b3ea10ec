/** The daemons that master.cf may name: which of them this system has, and how it does the work of the others. */

/**
 * `role`: a process of its own here. `inside`: the work is done within another role, so the line is accepted and starts
 * nothing. `missing`: Postfix has it, this system does not yet.
 */
export type Daemon = "role" | "inside" | "missing";

const daemons: ReadonlyMap<string, Daemon> = new Map([
  ...["smtpd", "pickup", "cleanup", "qmgr", "trivial-rewrite", "bounce", "smtp", "lmtp", "virtual"]
    .map((name): [string, Daemon] => [name, "role"]),
  ...["showq", "anvil", "postlogd", "dns"].map((name): [string, Daemon] => [name, "role"]),
  ...["error", "discard", "flush", "scache", "proxymap", "proxywrite", "tlsmgr"]
    .map((name): [string, Daemon] => [name, "inside"]),
  ...["verify", "local", "pipe", "spawn", "postscreen", "dnsblog", "tlsproxy", "qmqpd", "oqmgr"]
    .map((name): [string, Daemon] => [name, "missing"]),
  ["nbdb_reindexd", "missing"],
]);

/** What there is of a daemon; undefined when not even Postfix has one of this name. */
export function daemon(command: string): Daemon | undefined {
  return daemons.get(command);
}
