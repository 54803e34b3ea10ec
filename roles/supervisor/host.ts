/** What the supervisor reads of the host, once: users, name servers, the hosts file. */

import process from "node:process";
import type { Host, User } from "../../policies/grant.ts";
import { textOfFile } from "../../shared/config/named_file.ts";
import { ConfigError } from "../../shared/errors.ts";
import { parseAddress } from "../../shared/net/network.ts";

/** Whether this process is root's, and roles get users of their own. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Numbers of users and groups; a text that Number() takes for 0 must not make anybody root. */
const ID = /^[0-9]{1,10}$/;

/** Looks up a user of passwd(5). */
export function findUser(name: string, passwd = textOf("/etc/passwd")): User | undefined {
  for (const line of passwd.split("\n")) {
    const [user, , uid, gid] = line.split(":");
    if (user !== name || !ID.test(uid ?? "") || !ID.test(gid ?? "")) continue;
    return { name, uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/** The name of a user of passwd(5); a number that has none is its own. */
export function userName(uid: number, passwd = textOf("/etc/passwd")): string {
  const fields = passwd.split("\n").map((line) => line.split(":"));
  return fields.find(([, , id]) => id === String(uid))?.[0] || String(uid);
}

/** The host as the policy needs it; `mailOwner` matters only to root. */
export function readHost(mailOwner: string): Host {
  const root = isRoot();
  const user = root ? findUser(mailOwner) : undefined;
  if (root && !user) throw new ConfigError(`mail_owner: no such user: "${mailOwner}"`);
  if (user?.uid === 0) throw new ConfigError(`mail_owner: must not be root: is "${mailOwner}"`);
  return { root, mailOwner: user ?? null, nameServers: nameServers(textOf("/etc/resolv.conf")) };
}

/** The text of /etc/hosts, which the dns role answers from first. */
export function hostsFile(): string {
  return textOf("/etc/hosts").slice(0, MAX_HOSTS_BYTES);
}

/** The addresses of this host's interfaces: mail to one of them in brackets is ours. */
export function hostAddresses(): string[] {
  return Deno.networkInterfaces().map(({ address }) => address);
}

let descriptors: number | undefined;

/** How many descriptors a process may have open; Infinity where that cannot be known. */
export function descriptorLimit(): number {
  return descriptors ??= askDescriptorLimit();
}

function askDescriptorLimit(): number {
  try {
    // Deno lets nobody read /proc/self/limits.
    const { stdout } = new Deno.Command("sh", { args: ["-c", "ulimit -n"] }).outputSync();
    return Number(new TextDecoder().decode(stdout)) || Infinity;
  } catch {
    return Infinity;
  }
}

/** MAXNS of resolv.conf(5). */
const MAX_NAME_SERVERS = 3;
/** More of a hosts file is not handed over. */
const MAX_HOSTS_BYTES = 256 * 1024;

/** The name server of a resolv.conf(5) that names none: the one on this host. */
const OWN_NAME_SERVER = "127.0.0.1";

/** The first name servers of resolv.conf(5). One with a zone, such as fe80::1%eth0, cannot be granted to a role. */
export function nameServers(resolvConf: string): string[] {
  const named = [...resolvConf.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)]
    .map((match) => match[1]!);
  if (!named.length) return [OWN_NAME_SERVER];
  return named.filter((address) => parseAddress(address)).slice(0, MAX_NAME_SERVERS);
}

/** The text of a file; empty when it cannot be read now. */
export function textOf(path: string): string {
  try {
    return textOfFile(path, Infinity);
  } catch {
    return "";
  }
}
