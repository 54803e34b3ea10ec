/** Fuzzed SMTP sessions against the whole system: what arrives at the destination is what was promised, and no more. */

import { type Received, Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";
import { play } from "./client.ts";
import type { Promised } from "./oracle.ts";
import { Random } from "../support/random.ts";
import { ID_HEADER, sum, SUM_HEADER } from "./script.ts";

export interface FuzzOptions {
  /** Session N plays with seed `seed + N`. */
  readonly seed: number;
  /** Sessions begin until so much time has passed, and no longer than to `sessions`. */
  readonly seconds: number;
  readonly sessions?: number;
  readonly report?: (line: string) => void;
}

export interface FuzzResult {
  readonly sessions: number;
  readonly promised: number;
  readonly clean: number;
  readonly faults: readonly string[];
}

/** Sessions at a time. */
const AT_ONCE = 10;
/** More are not worth reading. */
const MAX_FAULTS = 10;
/** What is not at the destination so long after the last session is lost. */
const DELIVERY_MS = 60_000;
const ROLES = ["smtpd", "cleanup", "qmgr", "rewrite", "smtp"];
/** Errors must not end the sessions that look for them; only sink.test is taken, and what leaves is not folded. */
const MAIN = `
mynetworks = 192.0.2.0/24
smtp_line_length_limit = 0
smtpd_forbid_bare_newline_exclusions =
smtpd_forbid_unauth_pipelining = no
smtpd_hard_error_limit = 10000
smtpd_soft_error_limit = 10000
smtpd_junk_command_limit = 10000
smtpd_client_connection_count_limit = 0
`;

/** Plays sessions until the time is up. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  await using sink = await Sink.start({
    answer: (line) =>
      line.startsWith("EHLO") ? "250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8" : undefined,
  });
  await using system = await System.start({ sink: `smtp:[127.0.0.1]:${sink.port}`, main: MAIN });
  // Roles that start when they are first asked for are started by this one.
  await system.send("first@sink.test");
  await system.until(() => sink.count === 1);
  const before = ROLES.map((role) => system.processes(role));
  const faults: string[] = [], promised: Promised[] = [], maybe = new Set<string>();
  const end = Date.now() + options.seconds * 1000, most = options.sessions ?? Infinity;
  let sessions = 0, clean = 0;
  const player = async () => {
    while (Date.now() < end && sessions < most && faults.length < MAX_FAULTS) {
      const seed = options.seed + sessions++;
      try {
        const played = await play(system.port, new Random(seed), `m${seed}`);
        promised.push(...played.oracle.promised.filter(toSink));
        if (played.clean) clean++;
        if (played.hungUp || !played.oracle.promised.every(toSink)) maybe.add(`m${seed}`);
      } catch (error) {
        faults.push(`seed ${seed}: ${(error as Error).message}`);
      }
      if (sessions % 500 === 0) {
        options.report?.(`${sessions} sessions, ${promised.length} messages`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, player));
  await system.until(() => arrived(sink, promised), DELIVERY_MS).catch(() => {});
  faults.push(...compare(sink.received.slice(1), promised, maybe));
  ROLES.forEach((role, n) => {
    // Under load more may have come; none may have gone.
    const now = system.processes(role);
    const gone = before[n]!.filter((process) => !now.includes(process));
    if (gone.length) faults.push(`${role} was process ${before[n]} and is ${now}`);
  });
  faults.push(...(system.output.match(/^.*(panic|fatal): .*$/gm) ?? []));
  return { sessions, promised: promised.length, clean, faults: faults.slice(0, 2 * MAX_FAULTS) };
}

/** Damage may have made another domain of it, to which there is no way from here. */
function toSink({ recipients }: Promised): boolean {
  return recipients.every((each) => /@sink\.test$/i.test(each));
}

function arrived({ received }: Sink, promised: readonly Promised[]): boolean {
  if (received.length < promised.length) return false;
  const ids = new Set(received.map(({ content }) => queueIdOf(content)));
  return promised.every(({ queueId }) => ids.has(queueId));
}

function queueIdOf(content: string): string {
  return /^Received: [^]*?\bid (\w+)/.exec(content)?.[1] ?? "";
}

/** What is wrong with what arrived. */
function compare(
  received: readonly Received[],
  promised: readonly Promised[],
  maybe: ReadonlySet<string>,
): string[] {
  const byId = new Map(promised.map((each) => [each.queueId, each]));
  const faults: string[] = [];
  for (const { from, to, content } of received) {
    const queueId = queueIdOf(content), id = header(content, ID_HEADER);
    const one = byId.get(queueId);
    byId.delete(queueId);
    if (!one) {
      const taken = maybe.has(id.split(".")[0]!) && isWhole(content);
      if (!taken) faults.push(`nobody was promised ${content.slice(0, 500)}`);
      continue;
    }
    const about = `${queueId} from <${from}> to <${to}>`;
    if (same(to) !== same(one.recipients)) faults.push(`${about}: was sent to <${one.recipients}>`);
    if (same([from]) !== same([one.sender])) faults.push(`${about}: came from <${one.sender}>`);
    const found = content.replace(/^Received: .*\r\n([ \t].*\r\n)*/, "");
    if (found !== cleaned(one.content)) {
      faults.push(`${about}: was ${JSON.stringify(one.content)}, is ${JSON.stringify(found)}`);
    }
  }
  return [...faults, ...[...byId.values()].map((each) => `lost: ${JSON.stringify(each)}`)];
}

/**
 * Addresses that can be compared: without source routes, quoting and our own domain, each once, in one order; what has no
 * domain but `site!user` or `user%site` was turned around on the way.
 */
function same(addresses: readonly string[]): string {
  const plain = addresses.map((each) => {
    const bare = each.replace(/^\s*@[^:]*:/, "").replace(/[\s"\\]/g, "")
      .replace(/@mx\.postern\.test$/, "").toLowerCase();
    if (bare.includes("@")) return bare;
    if (bare.includes("!")) return bare.replace(/^([^!]*)!(.*)$/s, "$2@$1");
    return bare.replace(/%([^%]*)$/, "@$1");
  });
  return [...new Set(plain)].toSorted().join();
}

/** What smtpd and cleanup may do to content: nothing that stands first continues the Received header, and text needs an empty line. */
function cleaned(sent: string): string {
  const lines = sent.split(/(?<=\n)/);
  let at = 0;
  while (/^>*From /.test(lines[at] ?? "")) lines[at] = `X-Mailbox-Line: ${lines[at++]}`;
  if (at === 0 && /^[ \t]/.test(sent)) return `\r\n${sent}`;
  while (/^[!-9;-~]+[ \t]*:|^[ \t]/.test(lines[at] ?? "")) at++;
  if (at < lines.length && lines[at] !== "" && lines[at] !== "\r\n") lines.splice(at, 0, "\r\n");
  return lines.join("");
}

/** The client hung up before it heard of this one: what was taken must be all of it. */
function isWhole(content: string): boolean {
  return sum(content.slice(content.indexOf("\r\n\r\n") + 4)) === header(content, SUM_HEADER);
}

function header(content: string, name: string): string {
  return new RegExp(`^${name}: (\\S*)`, "m").exec(content)?.[1] ?? "";
}
