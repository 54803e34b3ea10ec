/** What a restriction looks at, and how it refuses (reference 3.4). */

import { reason } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import { external } from "../../shared/mail/address.ts";
import type { Recipient as RecipientAnswer } from "../../shared/rewrite_cache.ts";
import { type Reply, reply } from "../../shared/smtp/reply.ts";
import type { Services } from "./services.ts";
import type { Settings } from "./settings.ts";

export type ListName =
  | "client"
  | "helo"
  | "sender"
  | "relay"
  | "recipient"
  | "data"
  | "end_of_data"
  | "etrn";

/** The lists that have their own commands before RCPT, where `smtpd_delay_reject` does not put them off. */
export const EARLY_LISTS = ["client", "helo", "sender"] as const;
export type EarlyList = typeof EARLY_LISTS[number];

/** `ok` ends its list, `dunno` goes on, a reply refuses. */
export type Verdict = "ok" | "dunno" | Reply;

/** What a restriction may know about the session, and what it may remember. */
export interface Check {
  readonly settings: Settings;
  readonly services: Services;
  readonly clientName: string;
  readonly clientAddress: string;
  readonly helo: string | undefined;
  /** Internal form; undefined before MAIL. */
  readonly sender: string | undefined;
  readonly recipient: string | undefined;
  /** What rewrite says of the recipient. */
  readonly resolved: RecipientAnswer | undefined;
  readonly etrnDomain: string | undefined;
  /** The client sent commands that it had to wait with. */
  readonly illegalPipelining: boolean;
  /** The list that is being asked. */
  list: ListName;
  /** A 4xx instead of a later acceptance. */
  deferIfPermit: Reply | undefined;
  /** A 4xx instead of a later 5xx. */
  deferIfReject: Reply | undefined;
  /** Logs what `warn_if_reject` let pass. */
  warn(refused: Reply): void;
}

/** The names of subjects in replies. */
const CLASSES: Record<ListName, string> = {
  client: "Client host",
  helo: "Helo command",
  sender: "Sender address",
  relay: "Recipient address",
  recipient: "Recipient address",
  data: "Data command",
  end_of_data: "End-of-data",
  etrn: "Etrn command",
};

type Subjects = Pick<
  Check,
  "clientName" | "clientAddress" | "helo" | "sender" | "recipient" | "etrnDomain"
>;

function subject(check: Subjects, list: ListName): string {
  switch (list) {
    case "client":
      return `${check.clientName}[${check.clientAddress}]`;
    case "helo":
      return check.helo ?? "";
    case "sender":
      return external(check.sender ?? "");
    case "relay":
    case "recipient":
      return external(check.recipient ?? "");
    case "data":
      return "DATA";
    case "end_of_data":
      return "END-OF-MESSAGE";
    case "etrn":
      return check.etrnDomain ?? "";
  }
}

/** `CODE DSN <subject>: CLASS rejected: TEXT`. */
export function refuse(
  check: Subjects,
  list: ListName,
  code: number,
  dsn: string,
  text: string,
): Reply {
  return reply(code, dsn, `<${subject(check, list)}>: ${CLASSES[list]} rejected: ${text}`);
}

/** True for the recipient who is always there (RFC 5321 4.5.1). */
export function isPostmaster(address: string): boolean {
  return address.toLowerCase() === "postmaster";
}

/** The reply that a table which failed leads to: later, never no. */
export function temporaryFailure(address: string): Reply {
  return reply(451, "4.3.0", `<${external(address)}>: Temporary lookup failure`);
}

/** The reply when rewrite cannot be asked; the log says why. */
export function cannotResolve(address: string, error: unknown): Reply {
  warning(`cannot resolve <${external(address)}>: ${reason(error)}`);
  return temporaryFailure(address);
}
