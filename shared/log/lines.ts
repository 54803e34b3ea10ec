/**
 * The log lines that people and tools parse (reference 9): each is a function with named arguments, and nowhere else.
 * Addresses come in internal form and are printed in external form; `log.ts` makes everything printable.
 */

import { external } from "../mail/address.ts";
import { timestamp } from "./format.ts";
import { info, warning } from "./log.ts";

/** A client as smtpd names it: `name[address]`, with the port where `smtpd_client_port_logging` asks for it. */
export interface Named {
  readonly name: string;
  readonly address: string;
  readonly port?: number;
}

/** What seems to end a text in `<>`, and to begin the next field. */
const ENDS = /[<>\s,]/;
const ALL_ENDS = new RegExp(ENDS, "g");

/** Text of others that stands in `<>`, with nothing in it that seems to end it. */
function within(text: string): string {
  return ENDS.test(text) ? text.replace(ALL_ENDS, "?") : text;
}

/** An address in `<>`. A local part is quoted; a domain, which a local user may give as he likes, cannot be. */
export function bracketed(address: string): string {
  const text = external(address);
  if (!ENDS.test(text)) return `<${text}>`;
  const domain = text.lastIndexOf("@") + 1 || text.length;
  return `<${text.slice(0, domain)}${within(text.slice(domain))}>`;
}

function named({ name, address, port }: Named): string {
  return `${name || "unknown"}[${address || "unknown"}]${port === undefined ? "" : `:${port}`}`;
}

/** smtpd: a client connected. */
export function connected(client: Named): void {
  info(`connect from ${named(client)}`);
}

/** smtpd: a session ended; `counts` holds accepted and all commands by name, in order of first use. */
export function disconnected(
  client: Named,
  counts: ReadonlyMap<string, { ok: number; all: number }>,
  notes = "",
): void {
  let ok = 0, all = 0, text = "";
  const ratio = (ok: number, all: number) => (ok === all && all ? `${all}` : `${ok}/${all}`);
  for (const [name, each] of counts) {
    text += ` ${name}=${ratio(each.ok, each.all)}`;
    ok += each.ok;
    all += each.all;
  }
  info(
    `disconnect from ${named(client)}${text} commands=${ratio(ok, all)}${
      notes && ` notes=${notes}`
    }`,
  );
}

/** smtpd: a queue id was given to this client's mail. */
export function received(queueId: string, client: Named): void {
  info(`${queueId}: client=${named(client)}`);
}

/** What a reject line tells about the session; fields that are not known yet are undefined. */
export interface Transaction {
  readonly queueId?: string | undefined;
  readonly client: Named;
  readonly sender?: string | undefined;
  readonly recipient?: string | undefined;
  readonly protocol: string;
  readonly helo?: string | undefined;
}

/** smtpd: `action` is reject, reject_warning, hold ...; `command` RCPT, MAIL, CONNECT ...; `reply` what the client heard. */
export function rejected(action: string, command: string, reply: string, at: Transaction): void {
  const fields = [
    at.sender === undefined ? "" : `from=${bracketed(at.sender)}`,
    at.recipient === undefined ? "" : `to=${bracketed(at.recipient)}`,
    `proto=${at.protocol}`,
    at.helo === undefined ? "" : `helo=<${within(at.helo)}>`,
  ].filter(Boolean).join(" ");
  info(
    `${at.queueId ?? "NOQUEUE"}: ${action}: ${command} from ${
      named(at.client)
    }: ${reply}; ${fields}`,
  );
}

/** smtpd: `lost connection`, `timeout`, `too many errors`, `improper command pipelining` after a command. */
export function ended(
  what: string,
  after: string,
  client: Named,
  more: { queueId?: string | undefined; bytes?: number; text?: string } = {},
): void {
  const bytes = more.bytes === undefined ? "" : ` (${more.bytes} bytes)`;
  const text = more.text === undefined ? "" : `: ${more.text}`;
  info(`${more.queueId ?? "NOQUEUE"}: ${what} after ${after}${bytes} from ${named(client)}${text}`);
}

/** smtpd: one of `smtpd_forbidden_commands`, or something that is not SMTP. */
export function notSmtp(client: Named, text: string): void {
  warning(`non-SMTP command from ${named(client)}: ${text}`);
}

/** smtpd and smtp: a TLS session; `peer` is `from name[address]` or `to name[address]:port`. */
export function tlsEstablished(
  trust: "Anonymous" | "Untrusted" | "Trusted" | "Verified",
  peer: string,
  tls: { protocol: string; cipher: string; usedBits: number; algorithmBits: number },
): void {
  // Postfix goes on with key exchange and signature; Deno 2.9.6 has getEphemeralKeyInfo(), which tells nothing.
  info(
    `${trust} TLS connection established ${peer}: ${tls.protocol} with cipher ${tls.cipher} ` +
      `(${tls.usedBits}/${tls.algorithmBits} bits)`,
  );
}

/** smtpd: a handshake that failed; what the TLS library says of it is a line of its own. */
export function tlsFailed(client: Named, why: string): void {
  const ours = why === TLS_LOST || why === TLS_TIMEOUT;
  info(`SSL_accept error from ${named(client)}: ${ours ? why : "-1"}`);
  if (!ours) warning(`TLS library problem: ${why}`);
}

/** What is no fault of what the client said. */
export const TLS_LOST = "lost connection";
export const TLS_TIMEOUT = "Connection timed out";

/** cleanup: the message's id, with its angle brackets; empty prints `<>`. */
export function messageId(queueId: string, id: string, resent = false): void {
  info(`${queueId}: ${resent ? "resent-" : ""}message-id=${id || "<>"}`);
}

/** pickup: a local submission. */
export function pickedUp(queueId: string, uid: number, sender: string): void {
  info(`${queueId}: uid=${uid} from=${bracketed(sender)}`);
}

/** qmgr: a message became active. */
export function active(queueId: string, sender: string, size: number, recipients: number): void {
  info(`${queueId}: from=${bracketed(sender)}, size=${size}, nrcpt=${recipients} (queue active)`);
}

/** qmgr: a message left the queue. */
export function removed(queueId: string): void {
  info(`${queueId}: removed`);
}

/** qmgr: a message was given up. */
export function expired(queueId: string, sender: string, forced = false): void {
  const status = forced ? "force-expired" : "expired";
  info(`${queueId}: from=${bracketed(sender)}, status=${status}, returned to sender`);
}

/** anvil: the most of something since the last of these lines; `at` is milliseconds since the epoch. */
export function clientMaximum(
  what: "connection" | "message" | "recipient" | "newtls" | "auth",
  maximum: { value: number; service: string; client: string; at: number },
  perSeconds?: number,
): void {
  const { value, service, client, at } = maximum;
  const amount = perSeconds === undefined ? `count ${value}` : `rate ${value}/${perSeconds}s`;
  info(`statistics: max ${what} ${amount} for (${service}:${client}) at ${timestamp(at)}`);
}

/** anvil: the most clients that were remembered at once since the last of these lines. */
export function clientsMaximum(size: number, at: number): void {
  info(`statistics: max cache size ${size} at ${timestamp(at)}`);
}

/** One delivery attempt of one recipient. */
export interface Delivery {
  readonly queueId: string;
  readonly recipient: string;
  /** As it first arrived; printed when it differs. */
  readonly original: string;
  /** `host[addr]:port`, `local`, `virtual`, `none`. */
  readonly relay: string;
  /** How often the connection has been used, printed from 2. */
  readonly connectionUse?: number;
  /** Milliseconds: before qmgr, in qmgr, connection set-up, transmission. */
  readonly delays: readonly [number, number, number, number];
  readonly dsn: string;
  readonly status: "sent" | "deferred" | "bounced" | "deliverable" | "undeliverable";
  readonly text: string;
  /** The agent that Postfix has for this, where qmgr does without. */
  readonly agent?: "error" | "discard" | undefined;
}

/** The delivery agents' line. */
export function delivered(delivery: Delivery): void {
  const { queueId, recipient, original, relay, delays, dsn, status, text } = delivery;
  const orig = original && original !== recipient ? `, orig_to=${bracketed(original)}` : "";
  const use = (delivery.connectionUse ?? 1) > 1 ? `, conn_use=${delivery.connectionUse}` : "";
  const total = delays[0] + delays[1] + delays[2] + delays[3];
  info(
    `${queueId}: to=${bracketed(recipient)}${orig}, relay=${relay}${use}, delay=${
      seconds(total)
    }, ` +
      `delays=${delays.map(seconds).join("/")}, dsn=${dsn}, status=${status} (${text})`,
    undefined,
    delivery.agent,
  );
}

/** What a report is about, as the log has it. */
const NOTIFICATIONS = {
  failure: "non-delivery",
  delay: "delay",
  success: "delivery status",
  trace: "delivery status",
} as const;

/** bounce: the name of a report, such as `sender non-delivery notification`. */
export function notification(
  reader: "sender" | "postmaster",
  kind: keyof typeof NOTIFICATIONS,
): string {
  return `${reader} ${NOTIFICATIONS[kind]} notification`;
}

/** bounce: a report was sent; `name` is that of `notification()`. */
export function notified(queueId: string, name: string, report: string): void {
  info(`${queueId}: ${name}: ${report}`);
}

/** supervisor: what runs from now on. */
export function inForce(
  since: "daemon started" | "reload",
  version: string,
  directory: string,
): void {
  info(`${since} -- version ${version}, configuration ${directory}`);
}

/** Seconds with at most two significant digits above a resolution of 10 ms: `0.57`, `2.3`, `120`, `0`. */
export function seconds(milliseconds: number): string {
  // In hundredths, the resolution; from one second on in tenths, from ten in whole seconds.
  const hundredths = Math.round(Math.max(0, milliseconds) / 10);
  if (hundredths < 100) return String(hundredths / 100);
  if (hundredths < 995) return String(Math.round(milliseconds / 100) / 10);
  return String(Math.round(milliseconds / 1000));
}
