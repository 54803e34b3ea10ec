/** Which restriction lists are asked when (reference 3.4), and what they know. */

import { type Check, type ListName } from "./check.ts";
import { Reply } from "../../shared/smtp/reply.ts";
import type { Recipient as RecipientAnswer } from "../../shared/rewrite_cache.ts";
import { evaluate, rejectUnlisted } from "./restrictions.ts";
import type { Maybe } from "./services.ts";
import type { Session } from "./session.ts";

/** What a command adds to what the session knows. */
interface Subject {
  readonly sender?: string | undefined;
  readonly recipient?: string;
  readonly resolved?: RecipientAnswer;
  readonly etrnDomain?: string;
}

/** The connection, before the greeting. */
export function checkClient(session: Session): Maybe<Reply | undefined> {
  return session.settings.delayReject ? undefined : ask(["client"], view(session));
}

export function checkHelo(session: Session): Maybe<Reply | undefined> {
  return session.settings.delayReject ? undefined : ask(["helo"], view(session));
}

export function checkSender(session: Session, sender: string): Maybe<Reply | undefined> {
  return session.settings.delayReject ? undefined : ask(["sender"], view(session, { sender }));
}

/** RCPT and VRFY; asks everything that was put off, then whether the recipient is listed. */
export function checkRecipient(
  session: Session,
  recipient: string,
  resolved: RecipientAnswer,
): Maybe<Reply | undefined> {
  const { settings, transaction } = session;
  const check = view(session, { sender: transaction.sender, recipient, resolved });
  const unlisted = () => {
    const verdict = settings.rejectUnlistedRecipient ? rejectUnlisted(check) : "dunno";
    return verdict instanceof Reply ? verdict : undefined;
  };
  const refused = ask(settings.recipientLists, check);
  return refused instanceof Promise
    ? refused.then((late) => late ?? unlisted())
    : refused ?? unlisted();
}

export function checkData(session: Session): Maybe<Reply | undefined> {
  return ask(["data"], view(session));
}

export function checkEndOfData(session: Session): Maybe<Reply | undefined> {
  return ask(["end_of_data"], view(session));
}

export function checkEtrn(session: Session, etrnDomain: string): Maybe<Reply | undefined> {
  const lists = session.settings.delayReject ? EARLY_AND_ETRN : ETRN;
  return ask(lists, view(session, { etrnDomain }));
}

/** The refusal, logged, or what comes without one. */
export function refusedOr(
  session: Session,
  verdict: Maybe<Reply | undefined>,
  otherwise: () => Reply,
  recipient?: string,
): Maybe<Reply> {
  const answer = (refused: Reply | undefined) =>
    refused ? session.refuse(refused, recipient) : otherwise();
  return verdict instanceof Promise ? verdict.then(answer) : answer(verdict);
}

const ETRN: readonly ListName[] = ["etrn"];
const EARLY_AND_ETRN: readonly ListName[] = ["client", "helo", "etrn"];

/** Asks one list after the other: an OK ends its own list only. */
function ask(lists: readonly ListName[], check: Check, from = 0): Maybe<Reply | undefined> {
  for (let n = from; n < lists.length; n++) {
    const list = check.list = lists[n]!;
    const verdict = evaluate(check.settings.lists[list], check);
    if (verdict instanceof Promise) {
      return verdict.then((late) => late instanceof Reply ? late : ask(lists, check, n + 1));
    }
    if (verdict instanceof Reply) return verdict;
  }
  return check.deferIfPermit;
}

function view(session: Session, subject: Subject = {}): Check {
  const { settings, services, transaction, clientName, peer, helo, illegalPipelining } = session;
  const only = transaction.recipients.length === 1
    ? transaction.recipients[0]!.original
    : undefined;
  return {
    settings,
    services,
    clientName,
    clientAddress: peer.address,
    helo,
    sender: subject.sender ?? transaction.sender,
    recipient: subject.recipient ?? only,
    resolved: subject.resolved,
    etrnDomain: subject.etrnDomain,
    illegalPipelining,
    list: "client",
    deferIfPermit: undefined,
    deferIfReject: undefined,
    warn: (refused) => session.logRefusal("reject_warning", refused, subject.recipient),
  };
}
