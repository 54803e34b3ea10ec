/** Which rights of a row were used: what Deno noted under DENO_AUDIT_PERMISSIONS, in the words of the policy table. */

import { commandsOf, policies, policyOf, type Row } from "../../policies/mod.ts";
import { processOfLog } from "../../shared/layout.ts";

/** One line that Deno wrote. */
export interface Request {
  readonly permission: string;
  readonly value: string;
}

/** One right of one row. */
export interface Finding {
  readonly role: string;
  readonly right: string;
  /** `used`, the reason why it is granted although no test uses it, or undefined. */
  readonly verdict: string | undefined;
}

const WARNINGS = "it logs only what is wrong, and nothing is";
const OUTCOMES = "what a qmgr did not hear before it died: tests/crash";
const OWNERS = "mailboxes with owners from a table: roles/virtual/deliver_test.ts";
const SYSLOG = "its own end of syslog_socket: roles/postlogd/postlogd_test.ts";

/** Rights that no delivery test uses, each with why it stands. */
const KEPT = new Map<string, string>([
  ["rewrite logs", WARNINGS],
  ["dns logs", WARNINGS],
  ["anvil logs", WARNINGS],
  ["showq logs", WARNINGS],
  ["smtp calls outcomes", OUTCOMES],
  ["virtual calls outcomes", OUTCOMES],
  ["virtual sys uid", OWNERS],
  ["postlogd reads syslog", SYSLOG],
  ["postlogd writes syslog", SYSLOG],
]);

/** Every right that a row grants, in words. */
function rightsOf(row: Row): string[] {
  return [
    ...row.calls.map((name) => `calls ${name}`),
    // The row says who answers; each other role may write lines where the configuration has a log file.
    ...(row.answers.includes("log") ? [] : ["logs"]),
    ...(row.logsAs ?? []).map((name) => `logs as ${name}`),
    ...(row.reads ?? []).map((place) => `reads ${place}`),
    ...(row.writes ?? []).map((place) => `writes ${place}`),
    ...(row.network ? [`network ${row.network}`] : []),
    ...(row.sys ?? []).map((name) => `sys ${name}`),
  ];
}

/** Those of config/master.cf, and the one that tests/delivery/reload_test.ts adds. */
const TRANSPORTS = new Set(["smtp", "relay", "lmtp", "virtual", "slow"]);

/** Servers that a delivery test's configuration names. */
const LMTP_SOCKET = /\/postern-lmtp-[^/]+\/lmtp$|\/private\/dovecot-lmtp$/;

/** Where tests/support/system.ts puts the places of a system. */
const PLACES: readonly (readonly [RegExp, string])[] = [
  [/\/queue\/queue(\/|$)/, "database"],
  [/\/queue\/maildrop(\/|$)/, "maildrop"],
  [/\/queue\/syslog(\/|$)/, "syslog"],
  [/\/log\/maillog$/, "maillog"],
  [/\/mail(\/|$)/, "mailboxes"],
  [/\/conf\/|^\/etc\/(passwd|aliases)/, "tables"],
];

/** Of the database's place, what showq has. */
const LISTING = /\/queue\/queue\/queue\.db(-wal|-shm)?$/;

/** The right that a request makes use of; undefined: none that any row grants. */
export function rightOf(role: string, { permission, value }: Request): string | undefined {
  if (permission === "sys") return `sys ${value}`;
  const path = value.replace(/^unix:/, "");
  const service = /\/queue\/(?:private|public)\/([^/]+)\/s$/.exec(path)?.[1];
  const program = processOfLog(service ?? "")?.split("/").at(-1);
  if (program) return loggingRight(policyOf(role)!, program);
  if (service) return `calls ${TRANSPORTS.has(service) ? "delivery" : service}`;
  const network = policyOf(role)?.network;
  if (permission === "net" || LMTP_SOCKET.test(path)) return network && `network ${network}`;
  if (permission !== "read" && permission !== "write") return undefined;
  const place = PLACES.find(([pattern]) => pattern.test(path))?.[1];
  const listed = policyOf(role)?.reads?.includes("listing") && LISTING.test(path);
  return place && `${permission}s ${listed ? "listing" : place}`;
}

/** The right to log in the name of a program; undefined where it is another role's. */
function loggingRight(row: Row, program: string): string | undefined {
  if (row.logsAs?.includes(program)) return `logs as ${program}`;
  return program === row.role || commandsOf(row).includes(program) ? "logs" : undefined;
}

/** Each right of each row, used or not. */
export function findings(requests: ReadonlyMap<string, readonly Request[]>): Finding[] {
  return policies.flatMap((row) => {
    const used = new Set((requests.get(row.role) ?? []).map((each) => rightOf(row.role, each)));
    return rightsOf(row).map((right) => ({
      role: row.role,
      right,
      verdict: used.has(right) ? "used" : KEPT.get(`${row.role} ${right}`),
    }));
  });
}

/** What was asked for and is in no row: `role: permission value`, each once. */
export function notGranted(requests: ReadonlyMap<string, readonly Request[]>): string[] {
  const all = [...requests].flatMap(([role, asked]) => {
    const rights = new Set(rightsOf(policyOf(role)!));
    return asked.filter((each) => {
      const right = rightOf(role, each);
      return right === undefined || !rights.has(right);
    }).map(({ permission, value }) => `${role}: ${permission} ${value}`);
  });
  return [...new Set(all)].sort();
}

/** Reasons for rights that no row has. */
export function needlessReasons(found: readonly Finding[]): string[] {
  const granted = new Set(found.map(({ role, right }) => `${role} ${right}`));
  return [...KEPT.keys()].filter((each) => !granted.has(each));
}
