/** Which role a person means, and what is right for it when it runs alone. */

import { callsOf } from "../../policies/grant.ts";
import { policies, policyOf, policyOfCommand, type Row } from "../../policies/mod.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { ConfigError, PeerError } from "../../shared/errors.ts";
import { parseMasterCf } from "../../shared/config/master_cf.ts";
import { parseNexthop } from "../../shared/net/nexthop.ts";
import { freePort, tryToListen } from "../supervisor/handles.ts";
import { endpoints, rowsInUse, type Wanted, wantedServices } from "../supervisor/plans.ts";
import { settingsOf } from "../supervisor/settings.ts";

/** Where smtpd listens when master.cf does not say. */
const DEFAULT_LISTENER = "127.0.0.1:2525";
/** Where smtp delivers a message that a person makes, in a run with stubs. */
const DEFAULT_NEXTHOP = "[127.0.0.1]:2526";
/** Names that differ by more letters are no misspellings. */
const MAX_DISTANCE = 2;

/** One line a role. */
export function roleList(): string {
  return policies.map(({ role, because }) => `${role.padEnd(10)}${because}\n`).join("");
}

const OUTCOME = "is an outcome inside of qmgr, not a process: try role qmgr --stub";

/** What people know by name and cannot start like this. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["supervisor", "supervisor is what starts the others: deno task serve"],
  ["master", "master is called supervisor here, and is what starts the others: deno task serve"],
  ["error", `error ${OUTCOME}`],
  ["retry", `retry ${OUTCOME}`],
  ["discard", `discard ${OUTCOME}`],
]);

/** The service that a name means: one of master.cf, a role, or Postfix's name of it. Throws ConfigError with the nearest name. */
export function findWanted(name: string, configuration: Configuration): Wanted {
  const all = wantedServices(configuration);
  const line = configuration.services.find((service) => service.name === name);
  const named = policyOf(name) ?? policyOfCommand(name) ?? policyOfCommand(line?.command ?? "");
  // `smtp` is who delivers, although an inet service of that name is smtpd's.
  const wanted = all.find(({ service, row }) => service === name && !row.inet) ??
    all.find(({ service }) => service === name) ?? all.find(({ row }) => row === named);
  if (wanted) return wanted;
  if (named) return { row: named, service: named.role, entry: undefined };
  const elsewhere = ELSEWHERE.get(name) ?? ELSEWHERE.get(line?.command ?? "");
  if (elsewhere) throw new ConfigError(elsewhere);
  const known = [...new Set([...policies.map((each) => each.role), ...all.map((e) => e.service)])];
  const near = known.filter((each) => distance(each, name) <= MAX_DISTANCE);
  const meant = near.length ? `: did you mean ${near.join(" or ")}?` : "";
  throw new ConfigError(`no role "${name}"${meant} ("role" alone lists them all)`);
}

/** The same service, listening on `listen`, or where master.cf says; another port when the running system has that one. */
export function withListener(
  wanted: Wanted,
  configuration: Configuration,
  listen: string | undefined,
  running: boolean,
): Wanted {
  if (!wanted.row.inet) {
    if (listen) throw new ConfigError(`--listen: ${wanted.row.role} listens on no port`);
    return wanted;
  }
  const named = inetService(wanted, listen ?? wanted.entry?.name ?? DEFAULT_LISTENER);
  try {
    for (const { address, port } of endpoints(named, settingsOf(configuration))) {
      tryToListen(address, port, wanted.row.role);
    }
    return named;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (running && !listen) return inetService(wanted, `127.0.0.1:${freePort()}`);
    throw new ConfigError(`${error.message}; choose another with --listen=127.0.0.1:PORT`);
  }
}

function inetService(wanted: Wanted, name: string): Wanted {
  const line = `${name} inet n - n - - ${wanted.row.role}`;
  const entry = wanted.entry ?? parseMasterCf(line, "--listen").services[0]!;
  return { ...wanted, entry: { ...entry, name } };
}

/** Where a delivery by hand goes: as the person says, or with stubs to a port where smtp-sink or another role may listen. */
export function nexthopOf(
  { row }: Wanted,
  { nexthop, stub }: { nexthop: string | undefined; stub: boolean },
): string | undefined {
  if (row.network === "smtp_servers") return nexthop ?? (stub ? DEFAULT_NEXTHOP : undefined);
  if (nexthop === undefined) return undefined;
  throw new ConfigError(`--nexthop: ${row.role} delivers to no server`);
}

/** What lets smtp connect there in this run. Throws ConfigError for what cannot be read. */
export function portsFor(
  nexthop: string | undefined,
  configuration: Configuration,
): Record<string, string> {
  if (nexthop === undefined) return {};
  const name = "smtp_allowed_ports", ports = configuration.value(name);
  try {
    // smtp reads it alike, but for unix: sockets, which transport_maps names.
    const more = parseNexthop(nexthop, true, "25").map(({ port }) => port).filter(Boolean);
    return { [name]: `${ports} ${more.join(" ")}`.trim() };
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    throw new ConfigError(`--nexthop: ${error.message}`);
  }
}

/** Why this role must not run beside the system that runs on this queue; undefined when it may. */
export function clash({ row }: Wanted, configuration: Configuration): string | undefined {
  if (!rowsInUse(configuration).includes(row)) return undefined;
  const own = (row.writes ?? []).filter((place) => place !== "mailboxes");
  return own.length
    ? `the running system has a ${row.role} already, and two on one ${
      own[0]
    } would do everything twice`
    : undefined;
}

/** The services that a role calls, its log left out: that goes to the terminal. */
export function calledBy(row: Row, configuration: Configuration): string[] {
  return callsOf(row, settingsOf(configuration)).filter((name) => name !== "log");
}

/** How many letters must be changed, added or left out (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + Number(a[i - 1] !== b[j - 1]),
      );
    }
    row = next;
  }
  return row[b.length]!;
}
