/** MAIL and RCPT: who sends to whom, with the parameters of RFC 1870, 3461, 6152 and 6531. */

import { isAscii } from "../../shared/bytes.ts";
import * as lines from "../../shared/log/lines.ts";
import { parsePath, type Path } from "../../shared/mail/address_parse.ts";
import type { Recipient } from "../../shared/mail/envelope.ts";
import type { Recipient as RecipientAnswer } from "../../shared/rewrite_cache.ts";
import { upperCase } from "../../shared/smtp/keyword.ts";
import { type Reply, reply } from "../../shared/smtp/reply.ts";
import {
  BAD_RECIPIENT,
  BAD_SENDER,
  MAIL_OK,
  MAIL_SYNTAX,
  NEED_MAIL,
  NESTED_MAIL,
  NO_SPACE,
  RCPT_OK,
  RCPT_SYNTAX,
  TOO_BIG,
  TOO_MANY_RECIPIENTS,
} from "../../shared/smtp/standard_replies.ts";
import { warning } from "../../shared/log/log.ts";
import { isHostname } from "../../shared/net/hostname.ts";
import { literalAddress, parseAddress } from "../../shared/net/network.ts";
import { cannotResolve, isPostmaster, temporaryFailure } from "./check.ts";
import { checkRecipient, checkSender, unless } from "./restriction_lists.ts";
import { afterBdat, HELO_FIRST, UNICODE_WITHOUT_SMTPUTF8 } from "./replies.ts";
import { mailParameters, type RecipientOptions, recipientParameters } from "./esmtp.ts";
import { eventAllowed } from "./limits.ts";
import type { Maybe } from "./services.ts";
import type { Session } from "./session.ts";
import type { Settings } from "./settings.ts";
import { Transaction } from "./transaction.ts";

/** What a recipient takes of memory beside the text of its command. */
const RECIPIENT_BYTES = 512;
/** More of an address that is none is not logged. */
const MAX_SHOWN = 200;

/**
 * What an address hears that only SMTPUTF8 may carry (RFC 6531 3.3) where the client did not ask for it. Local parts are taken
 * without, unless `strict_smtputf8`: clients that know no better have always sent them.
 */
export function withoutUtf8(
  address: string,
  settings: Settings,
  badSyntax: Reply,
): Reply | undefined {
  if (isAscii(address)) return undefined;
  if (settings.strictSmtputf8 || !settings.smtputf8Enable) return UNICODE_WITHOUT_SMTPUTF8;
  return isAscii(address.slice(address.lastIndexOf("@") + 1)) ? undefined : badSyntax;
}

export function mail(session: Session, argument: string): Maybe<Reply> {
  const { settings, stage } = session;
  if (settings.heloRequired && session.helo === undefined) return HELO_FIRST;
  if (stage === "bdat" || stage === "discard") return afterBdat("MAIL");
  if (stage === "mail" || stage === "rcpt") return NESTED_MAIL;
  const allowed = eventAllowed(session, "message");
  if (allowed === true) return begin(session, argument);
  return allowed.then((allowed) =>
    allowed ? begin(session, argument) : session.refuse(
      reply(450, "4.7.1", `Error: too much mail from ${session.peer.address}`),
    )
  );
}

function begin(session: Session, argument: string): Maybe<Reply> {
  const path = after("FROM:", argument, session);
  if (path === "syntax") return MAIL_SYNTAX;
  if (path === undefined) return illegalAddress(session, "MAIL", argument, BAD_SENDER);
  const transaction = new Transaction();
  const refused = path.rest && mailParameters(path.rest, transaction, session.settings);
  if (refused) return refused;
  const utf8 = !transaction.smtputf8 && withoutUtf8(path.address, session.settings, BAD_SENDER);
  if (utf8) return utf8;
  if (transaction.declaredSize > session.settings.messageSizeLimit) {
    return session.refuse(TOO_BIG, { sender: path.address });
  }
  if (!isSound(path.address, session.settings)) {
    return illegalAddress(session, "MAIL", argument, BAD_SENDER);
  }
  return unless(checkSender(session, path.address), () => {
    const { clock, space } = session.services;
    if (!space.admits(clock.steady())) return session.refuse(NO_SPACE);
    transaction.sender = path.address;
    transaction.arrived = clock.now();
    session.transaction = transaction;
    session.enter("mail");
    if (!session.settings.delayOpenUntilValidRcpt) giveQueueId(session);
    return MAIL_OK;
  });
}

/** The path after the word; `syntax` when the word is not there. */
function after(word: string, argument: string, { settings }: Session): Path | "syntax" | undefined {
  if (upperCase(argument.slice(0, word.length)) !== word) return "syntax";
  const rest = argument.slice(word.length);
  if (!rest.trim()) return "syntax";
  if (settings.strictRfc821Envelopes && !/^[ \t]*</.test(rest)) return undefined;
  return parsePath(rest, settings.resolveNullDomain);
}

/** True for a sender that a report could be sent to: not one that `resolve` would call an error (reference 5.2). */
function isSound(address: string, settings: Settings): boolean {
  if (address.startsWith("-") && !settings.allowMinUser) return false;
  const at = address.lastIndexOf("@");
  if (at < 0) return true;
  const domain = address.slice(at + 1).replace(/\.$/, "");
  if (domain === "") return settings.resolveNullDomain;
  if (domain.startsWith("[")) return literalAddress(domain) !== undefined;
  return isHostname(domain) ||
    (settings.resolveNumericDomain && parseAddress(domain) !== undefined);
}

/** Says in the log what was refused, which the reply does not repeat. */
export function illegalAddress(
  { client: { name, address } }: Session,
  verb: string,
  argument: string,
  answer: Reply,
): Reply {
  const text = argument.replace(/^(FROM|TO):/i, "").trim().slice(0, MAX_SHOWN);
  warning(`Illegal address syntax from ${name}[${address}] in ${verb} command: ${text}`);
  return answer;
}

export function rcpt(session: Session, argument: string): Maybe<Reply> {
  const { settings, stage, transaction } = session;
  if (stage === "bdat" || stage === "discard") return afterBdat("RCPT");
  if (stage !== "mail" && stage !== "rcpt") return NEED_MAIL;
  const path = after("TO:", argument, session);
  if (path === "syntax") return RCPT_SYNTAX;
  if (!path?.address) return illegalAddress(session, "RCPT", argument, BAD_RECIPIENT);
  const { address } = path;
  const options: RecipientOptions = { orcpt: "", notify: [] };
  const refused = path.rest && recipientParameters(path.rest, options, settings);
  if (refused) return refused;
  const utf8 = !transaction.smtputf8 && withoutUtf8(address, settings, BAD_RECIPIENT);
  if (utf8) return utf8;
  if (transaction.recipients.length >= settings.recipientLimit) {
    if (transaction.overshoot++ < settings.recipientOvershootLimit) session.tally.forgive();
    return TOO_MANY_RECIPIENTS;
  }
  const recipient = { address, original: address, ...options };
  const allowed = eventAllowed(session, "recipient");
  if (allowed === true) return judge(session, recipient, argument);
  return allowed.then((allowed) =>
    allowed ? judge(session, recipient, argument) : session.refuse(
      reply(450, "4.7.1", `Error: too many recipients from ${session.peer.address}`),
      { recipient: address },
    )
  );
}

/** Asks rewrite and the restrictions. */
function judge(session: Session, recipient: Recipient, argument: string): Maybe<Reply> {
  const { address } = recipient, about = { recipient: address };
  if (isPostmaster(address)) return accept(session, recipient, undefined);
  const answer = (resolved: RecipientAnswer): Maybe<Reply> => {
    if (resolved.resolved.fail) return session.refuse(temporaryFailure(address), about);
    if (resolved.resolved.error) return illegalAddress(session, "RCPT", argument, BAD_RECIPIENT);
    const verdict = checkRecipient(session, address, resolved);
    return unless(verdict, () => accept(session, recipient, resolved));
  };
  const later = (error: unknown) => session.refuse(cannotResolve(address, error), about);
  const resolved = session.services.recipient(session.transaction.sender!, address);
  return resolved instanceof Promise ? resolved.then(answer, later) : answer(resolved);
}

function accept(
  session: Session,
  recipient: Recipient,
  resolved: RecipientAnswer | undefined,
): Reply {
  const { transaction, settings, wire } = session;
  if (!session.recipientShare.add(wire.lineBytes + RECIPIENT_BYTES)) {
    if (transaction.overshoot++ < settings.recipientOvershootLimit) session.tally.forgive();
    return NO_SPACE;
  }
  transaction.recipients.push(recipient);
  transaction.resolved = resolved;
  if (transaction.queueId === undefined) giveQueueId(session);
  session.enter("rcpt");
  return RCPT_OK;
}

function giveQueueId(session: Session): void {
  const queueId = session.transaction.queueId = session.services.queueId();
  lines.received(queueId, session.client);
}
