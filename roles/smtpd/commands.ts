/** The commands of SMTP as a table (RFC 5321 4.1): what holds for each verb, and the function that makes its reply. */

import { upperCase } from "../../shared/smtp/keyword.ts";
import { type Reply, reply } from "../../shared/smtp/reply.ts";
import {
  BAD_RECIPIENT,
  BYE,
  GO_AHEAD,
  NEED_RCPT,
  NO_RECIPIENTS,
  NOT_RECOGNIZED,
  OK,
} from "../../shared/smtp/standard_replies.ts";
import { startsField } from "../../shared/mail/header.ts";
import { isHostname } from "../../shared/net/hostname.ts";
import { literalAddress } from "../../shared/net/network.ts";
import { parsePath } from "../../shared/mail/address_parse.ts";
import { notSmtp } from "../../shared/log/lines.ts";
import { info } from "../../shared/log/log.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { bdat } from "./bdat.ts";
import { cannotResolve, isPostmaster, temporaryFailure } from "./check.ts";
import { checkData, checkEtrn, checkHelo, checkRecipient, unless } from "./restriction_lists.ts";
import { eventAllowed } from "./limits.ts";
import { illegalAddress, mail, rcpt, withoutUtf8 } from "./mail_and_rcpt.ts";
import { afterBdat, HELO_FIRST, NOT_IMPLEMENTED, READY_FOR_TLS } from "./replies.ts";
import type { Maybe } from "./services.ts";
import type { Session } from "./session.ts";

export interface Command {
  readonly verb: string;
  /** As the disconnect line counts it. */
  readonly name: string;
  /** Allowed before STARTTLS where TLS is demanded. */
  readonly beforeTls?: true;
  /** Counts against `smtpd_junk_command_limit`. */
  readonly junk?: true;
  /** Nothing may follow before the reply (RFC 2920 3.1). */
  readonly last?: true;
  /** Ends the session, whatever else the client may not do. */
  readonly ends?: true;
  /** Makes the reply; undefined when the client went away. */
  run(session: Session, argument: string): Maybe<Reply | undefined>;
}

const NO_RULES = reply(221, "2.7.0", "Error: I can break rules, too. Goodbye.");
const BAD_SYNTAX = reply(500, "5.5.2", "Error: bad syntax");
const NOT_AUTHORIZED = reply(550, "5.7.0", "Error: insufficient authorization");

/** In the order in which the disconnect line counts them. */
export const COMMANDS: readonly Command[] = [
  { verb: "HELO", name: "helo", beforeTls: true, junk: true, last: true, run: helo },
  { verb: "EHLO", name: "ehlo", beforeTls: true, junk: true, last: true, run: ehlo },
  { verb: "STARTTLS", name: "starttls", beforeTls: true, run: starttls },
  { verb: "AUTH", name: "auth", run: auth },
  { verb: "MAIL", name: "mail", run: mail },
  { verb: "RCPT", name: "rcpt", run: rcpt },
  { verb: "DATA", name: "data", last: true, run: data },
  { verb: "BDAT", name: "bdat", run: bdat },
  { verb: "RSET", name: "rset", junk: true, run: rset },
  { verb: "NOOP", name: "noop", beforeTls: true, junk: true, last: true, run: noop },
  { verb: "VRFY", name: "vrfy", junk: true, last: true, run: vrfy },
  { verb: "ETRN", name: "etrn", junk: true, run: etrn },
  { verb: "QUIT", name: "quit", beforeTls: true, ends: true, run: quit },
  { verb: "XCLIENT", name: "xclient", beforeTls: true, run: () => NOT_AUTHORIZED },
  { verb: "XFORWARD", name: "xforward", run: () => NOT_AUTHORIZED },
  { verb: "HELP", name: "help", beforeTls: true, run: help },
];
const byVerb = new Map(COMMANDS.map((command) => [command.verb, command]));
const HELP = reply(214, "2.0.0", `Commands: ${[...byVerb.keys()].sort().join(" ")}`);

/** What is answered like a command but is none of the table. */
const other = (run: Command["run"]): Command => (
  { verb: "UNKNOWN", name: "unknown", beforeTls: true, run }
);
const EMPTY = other(() => BAD_SYNTAX);
const UNKNOWN = other(() => NOT_RECOGNIZED);
const FORBIDDEN: Command = {
  ...other((session) => {
    session.closing = true;
    return NO_RULES;
  }),
  ends: true,
};
const NOOP_ALIAS: Command = {
  verb: "NOOP",
  name: "noop",
  beforeTls: true,
  junk: true,
  run: () => OK,
};

/** Without the spaces and tabs around it: other white space, CR or U+00A0, is none in SMTP (RFC 5321 2.3.8, 4.1.1). */
export function trimSpaces(text: string): string {
  const first = text.charCodeAt(0), last = text.charCodeAt(text.length - 1);
  if (first > SPACE && last > SPACE) return text;
  let from = 0, to = text.length;
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (from < to && isSpace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

const TAB = 9, SPACE = 32;

function isSpace(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** The command of a line. */
export function find(line: string, session: Session): Command {
  const plain = line.charCodeAt(4) === SPACE && line.charCodeAt(0) > SPACE;
  const word = plain ? line.slice(0, 4) : trimSpaces(line).split(" ", 1)[0]!;
  const verb = byVerb.has(word) ? word : upperCase(word), found = byVerb.get(verb);
  const { settings } = session;
  if (settings.noopCommands.length && settings.isNoop(verb)) return NOOP_ALIAS;
  if (found) return found;
  if (!word) return EMPTY;
  // A header field where a command should be: a browser or worm that speaks HTTP at us.
  if (startsField(line) || settings.isForbidden(word)) {
    notSmtp(session.client, line.slice(0, 100));
    return FORBIDDEN;
  }
  return UNKNOWN;
}

/** What must not be read into a header, a log field or a reply, beside controls and changes of direction. */
const NEUTERED = /[<>()\\";@ \t]/g;
const MAX_HELO = 255;

function neuter(helo: string): string {
  return withoutControls(helo.slice(0, MAX_HELO)).replace(NEUTERED, "?");
}

function helo(session: Session, name: string): Maybe<Reply> {
  return greet(session, name, false);
}

function ehlo(session: Session, name: string): Maybe<Reply> {
  return greet(session, name, true);
}

function greet(session: Session, name: string, esmtp: boolean): Maybe<Reply> {
  if (!name) return reply(501, "", `Syntax: ${esmtp ? "EHLO" : "HELO"} hostname`);
  const { settings } = session, helo = neuter(name);
  const answer = () => {
    session.greeted(helo, esmtp);
    if (!esmtp) return settings.heloReply;
    const { discarded } = settings;
    if (discarded.size && !discarded.has("silent-discard")) {
      info(`discarding EHLO keywords: ${[...discarded].join(" ").toUpperCase()}`);
    }
    return settings.ehloReply(session.tls !== undefined);
  };
  return unless(checkHelo(session, helo), answer);
}

function starttls(session: Session, argument: string): Maybe<Reply> {
  const { settings, tls, peer } = session;
  if (argument) return reply(501, "5.5.4", "Syntax: STARTTLS");
  if (tls) return reply(554, "5.5.1", "Error: TLS already active");
  if (!settings.tls || settings.discarded.has("starttls")) return NOT_IMPLEMENTED;
  if (!peer.startTls) return reply(454, "4.7.0", "TLS not available due to local problem");
  const answer = (allowed: boolean) =>
    allowed ? READY_FOR_TLS : session.refuse(
      reply(454, "4.7.0", `Error: too many new TLS sessions from ${peer.address}`),
    );
  const allowed = eventAllowed(session, "newtls");
  return allowed instanceof Promise ? allowed.then(answer) : answer(allowed);
}

function auth(): Reply {
  return reply(503, "5.5.1", "Error: authentication not enabled");
}

function data(session: Session, argument: string): Maybe<Reply> {
  const { stage } = session;
  if (stage === "bdat" || stage === "discard") return afterBdat("DATA");
  if (stage === "mail") return NO_RECIPIENTS;
  if (stage !== "rcpt") return NEED_RCPT;
  if (argument) return reply(501, "5.5.4", "Syntax: DATA");
  return unless(checkData(session), () => GO_AHEAD);
}

function rset(session: Session, argument: string): Reply {
  if (argument) return reply(501, "5.5.4", "Syntax: RSET");
  session.resetTransaction("RSET");
  return OK;
}

/** With whatever argument (RFC 5321 4.1.1.9). */
function noop(): Reply {
  return OK;
}

/** Asks what RCPT would be told, and leaves the transaction alone (reference 3.8). */
async function vrfy(session: Session, argument: string): Promise<Reply> {
  const { settings, services } = session;
  if (settings.disableVrfyCommand) return reply(502, "5.5.1", "VRFY command is disabled");
  if (settings.heloRequired && session.helo === undefined) return HELO_FIRST;
  if (!argument) {
    const utf8 = settings.smtputf8Enable ? " [SMTPUTF8]" : "";
    return reply(501, "5.5.4", `Syntax: VRFY address${utf8}`);
  }
  const path = parsePath(argument, settings.resolveNullDomain);
  if (!path?.address || !/^(SMTPUTF8)?$/i.test(path.rest)) {
    return illegalAddress(session, "VRFY", argument, BAD_RECIPIENT);
  }
  const utf8 = !path.rest && withoutUtf8(path.address, settings, BAD_RECIPIENT);
  if (utf8) return utf8;
  const found = () =>
    reply(252, "2.0.0", argument.slice(0, argument.length - path.rest.length).trim());
  if (isPostmaster(path.address)) return found();
  let resolved;
  try {
    resolved = await services.recipient("", path.address);
  } catch (error) {
    return session.refuse(cannotResolve(path.address, error), { recipient: path.address });
  }
  if (resolved.resolved.fail) {
    return session.refuse(temporaryFailure(path.address), { recipient: path.address });
  }
  if (resolved.resolved.error) return illegalAddress(session, "VRFY", argument, BAD_RECIPIENT);
  return unless(checkRecipient(session, path.address, resolved), found);
}

/** No queue can be flushed from here: smtpd does not reach qmgr. */
function etrn(session: Session, argument: string): Maybe<Reply> {
  if (session.settings.heloRequired && session.helo === undefined) return HELO_FIRST;
  if (session.transaction.sender !== undefined) {
    return reply(503, "", "Error: MAIL transaction in progress");
  }
  if (!argument || argument.includes(" ")) return reply(500, "", "Syntax: ETRN domain");
  const domain = /^[@#]/.test(argument) ? argument.slice(1) : argument;
  if (!isHostname(domain) && literalAddress(domain) === undefined) {
    return reply(501, "", "Error: invalid parameter syntax");
  }
  const answer = () => reply(459, "", `<${domain}>: service unavailable`);
  return unless(checkEtrn(session, domain), answer);
}

function quit(session: Session): Reply {
  session.closing = true;
  return BYE;
}

function help(): Reply {
  return HELP;
}
