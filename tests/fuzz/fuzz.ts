/**
 * Fuzzed SMTP sessions against the whole system, in the clear and in TLS: what arrives at the destination is what was
 * promised, and no more. A part of the mail goes to an LMTP server that does what it wants: it keeps it, or the sender hears
 * of it, or it waits in the queue.
 */

import { certificate } from "../support/certificate.ts";
import { type Received, Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";
import { type Plan, play, type Played } from "./client.ts";
import { OddServer } from "./odd_server.ts";
import { isReport, openPromises } from "./odd_mail.ts";
import { contentOf, type Promised } from "./oracle.ts";
import { Random } from "../support/random.ts";
import { ID_HEADER, sum, SUM_HEADER } from "./script.ts";

export interface FuzzOptions {
  /** Session N plays with seed `seed + N`. */
  readonly seed: number;
  /** Sessions begin until so much time has passed, and no longer than to `sessions`. */
  readonly seconds: number;
  readonly sessions?: number;
  /** A part of the sessions asks for TLS, and a part of the mail goes to a server that does what it wants. */
  readonly wide?: boolean;
  readonly report?: (line: string) => void;
}

type Tls = Record<Exclude<Played["tls"], "none">, number>;

export interface FuzzResult {
  readonly sessions: number;
  readonly promised: number;
  readonly clean: number;
  /** Sessions that went on in TLS, such whose handshake failed, and such whose client heard nothing more. */
  readonly tls: Tls;
  /** Messages for the odd server, and what it did. */
  readonly odd: { promised: number; contents: number; shown: Readonly<Record<string, number>> };
  readonly faults: readonly string[];
}

/** Sessions at a time. */
const AT_ONCE = 10;
/** More are not worth reading. */
const MAX_FAULTS = 10;
/** What is not at the destination so long after the last session is lost. */
const DELIVERY_MS = 60_000;
const ROLES = ["smtpd", "cleanup", "qmgr", "rewrite", "smtp"];
/** Who gets mail at the odd server. */
const ODD = ["o1@odd.test", "o2@odd.test", "o3@odd.test"];
/**
 * Errors must not end the sessions that look for them; only sink.test and odd.test are taken, reports about mail to odd.test
 * go to src.test, and what leaves is not folded. A server that fails is asked again at once, and waited for no longer than that.
 */
const MAIN = `
mynetworks = 192.0.2.0/24
relay_domains = sink.test, odd.test
smtp_line_length_limit = 0
smtpd_forbid_bare_newline_exclusions =
smtpd_forbid_unauth_pipelining = no
smtpd_hard_error_limit = 10000
smtpd_soft_error_limit = 10000
smtpd_junk_command_limit = 10000
smtpd_client_connection_count_limit = 0
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
max_idle = 1h
lmtp_destination_concurrency_failed_cohort_limit = 0
${
  ["connect", "lhlo", "mail", "rcpt", "data_init", "data_done", "rset", "quit"]
    .map((each) => `lmtp_${each}_timeout = 2s`).join("\n")
}
`;

/** Plays sessions until the time is up. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  await using sink = await Sink.start({
    answer: (line) =>
      line.startsWith("EHLO") ? "250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8" : undefined,
  });
  await using odd = await OddServer.start(new Random(options.seed));
  await using system = await System.prepare();
  const secure = options.wide ? tlsLines(system.configuration) : "",
    plan = { tls: secure !== "", odd: options.wide ? ODD : [] };
  await system.configure({ main: `${MAIN}${routes(sink, odd)}${secure}` });
  await system.start();
  // Roles that start when they are first asked for are started by this one.
  await system.send("first@sink.test");
  await system.until(() => sink.count === 1);
  const before = ROLES.map((role) => system.processes(role));
  const { faults, promised, maybe, ...counts } = await playAll(system.port, plan, options);
  const toOdd = promised.filter(({ recipients }) => recipients.some((each) => ODD.includes(each)));
  const expected = promised.filter(toSink);
  await system.until(() => arrived(sink, expected), DELIVERY_MS).catch(() => {});
  odd.tame = true;
  await system.until(() => openPromises(toOdd, odd, sink.received).length === 0, DELIVERY_MS)
    .catch(() => {});
  const received = sink.received.slice(1).filter((each) => !isReport(each));
  faults.push(...compare(received, expected, maybe));
  for (const each of openPromises(toOdd, odd, sink.received)) {
    const [queueId] = each.split(" ");
    const log = system.output.split("\n").filter((line) => line.includes(`${queueId}: `));
    faults.push(["lost: " + each, ...log].join("\n"));
  }
  ROLES.forEach((role, n) => {
    // Under load more may have come; none may have gone.
    const now = system.processes(role);
    const gone = before[n]!.filter((process) => !now.includes(process));
    if (gone.length) faults.push(`${role} was process ${before[n]} and is ${now}`);
  });
  faults.push(...(system.output.match(/^.*(panic|fatal): .*$/gm) ?? []));
  return {
    ...counts,
    promised: expected.length,
    odd: { promised: toOdd.length, contents: odd.contents, shown: odd.odd },
    faults: faults.slice(0, 2 * MAX_FAULTS),
  };
}

function routes(sink: Sink, odd: OddServer): string {
  const relay = `smtp:[127.0.0.1]:${sink.port}`, lmtp = `lmtp:inet:127.0.0.1:${odd.port}`;
  return `transport_maps = inline:{ sink.test=${relay}, src.test=${relay}, odd.test=${lmtp} }\n`;
}

/** Has smtpd offer STARTTLS; nothing where no certificate can be made. */
function tlsLines(directory: string): string {
  const files = certificate(directory);
  if (!files) return "";
  return "smtpd_tls_security_level = may\n" +
    `smtpd_tls_chain_files = ${files.key}, ${files.chain}\n`;
}

interface Sessions {
  sessions: number;
  clean: number;
  readonly tls: Tls;
  readonly faults: string[];
  readonly promised: Promised[];
  /** Sessions whose mail may arrive though nobody heard that it was taken: by id, what they wrote. */
  readonly maybe: Map<string, string>;
}

/** Plays sessions until the time is up. */
async function playAll(port: number, plan: Plan, options: FuzzOptions): Promise<Sessions> {
  const all: Sessions = {
    sessions: 0,
    clean: 0,
    tls: { secured: 0, broken: 0, silent: 0 },
    faults: [],
    promised: [],
    maybe: new Map(),
  };
  const end = Date.now() + options.seconds * 1000, most = options.sessions ?? Infinity;
  const player = async () => {
    while (Date.now() < end && all.sessions < most && all.faults.length < MAX_FAULTS) {
      const seed = options.seed + all.sessions++;
      try {
        const { oracle, written, clean, hungUp, tls } = await play(
          port,
          new Random(seed),
          `m${seed}`,
          plan,
        );
        all.promised.push(...oracle.promised);
        if (clean) all.clean++;
        if (tls !== "none") all.tls[tls]++;
        if (hungUp || !oracle.promised.every(toUs)) all.maybe.set(`m${seed}`, written);
      } catch (error) {
        all.faults.push(`seed ${seed}: ${(error as Error).message}`);
      }
      if (all.sessions % 500 === 0) {
        options.report?.(`${all.sessions} sessions, ${all.promised.length} messages`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, player));
  return all;
}

/** Damage may have made another domain of it, to which there is no way from here. */
function toSink({ recipients }: Promised): boolean {
  return recipients.every((each) => /@sink\.test$/i.test(each));
}

function toUs({ recipients }: Promised): boolean {
  return recipients.every((each) => /@(sink|odd)\.test$/i.test(each));
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
  maybe: ReadonlyMap<string, string>,
): string[] {
  const byId = new Map(promised.map((each) => [each.queueId, each]));
  const faults: string[] = [];
  for (const { from, to, content } of received) {
    const queueId = queueIdOf(content);
    const one = byId.get(queueId);
    byId.delete(queueId);
    if (!one) {
      // The first there is, also where damage stands before it: another one is of mail that this content has swallowed.
      const id = new RegExp(`${ID_HEADER}: (\\S*)`).exec(content)?.[1] ?? "";
      const written = maybe.get(id.split(".")[0]!);
      if (written === undefined || !wasSent(content, id, written)) {
        faults.push(`nobody was promised ${content.slice(0, 500)}`);
      }
      continue;
    }
    const about = `${queueId} from <${from}> to <${to}>`;
    if (same(to) !== same(one.recipients)) faults.push(`${about}: was sent to <${one.recipients}>`);
    if (same([from]) !== same([one.sender])) faults.push(`${about}: came from <${one.sender}>`);
    const found = withoutReceived(content);
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
      .replace(/(?<=[^.@])\.$/, "").replace(/@mx\.postern\.test$/, "").toLowerCase();
    if (bare.includes("@")) return bare;
    if (bare.includes("!")) return bare.replace(/^([^!]*)!(.*)$/s, "$2@$1");
    return bare.replace(/%([^%]*)$/, "@$1");
  });
  return [...new Set(plain)].toSorted().join();
}

/**
 * What smtpd and cleanup may do to content: nothing that stands first continues the Received header, no white space stands
 * before a colon, and text needs an empty line.
 */
function cleaned(sent: string): string {
  const lines = sent.split(/(?<=\n)/);
  let at = 0;
  while (/^>*From /.test(lines[at] ?? "")) lines[at] = `X-Mailbox-Line: ${lines[at++]}`;
  if (at === 0 && /^[ \t]/.test(sent)) return `\r\n${sent}`;
  while (/^[!-9;-~]+[ \t]*:|^[ \t]/.test(lines[at] ?? "")) {
    lines[at] = lines[at++]!.replace(/^([!-9;-~]+)[ \t]+:/, "$1:");
  }
  if (at < lines.length && lines[at] !== "" && lines[at] !== "\r\n") lines.splice(at, 0, "\r\n");
  return lines.join("");
}

function withoutReceived(content: string): string {
  return content.replace(/^Received: .*\r\n([ \t].*\r\n)*/, "");
}

/** The client did not hear of this one: what was taken must be all of it, as it is or as its damage is read. */
function wasSent(content: string, id: string, written: string): boolean {
  if (isWhole(content)) return true;
  const at = written.indexOf(`${ID_HEADER}: ${id}\r\n`);
  const sent = at < 0 ? undefined : contentOf(written.slice(written.lastIndexOf("\n", at) + 1));
  return sent !== undefined && cleaned(sent) === withoutReceived(content);
}

function isWhole(content: string): boolean {
  return sum(content.slice(content.indexOf("\r\n\r\n") + 4)) === header(content, SUM_HEADER);
}

function header(content: string, name: string): string {
  return new RegExp(`^${name}: (\\S*)`, "m").exec(content)?.[1] ?? "";
}
