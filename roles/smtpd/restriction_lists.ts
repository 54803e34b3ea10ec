/** Which restriction lists are asked when (reference 3.4), and what they know. What they refuse is logged here. */

import { type Check, EARLY_LISTS, type EarlyList, type ListName, type Verdict } from "./check.ts";
import { Reply } from "../../shared/smtp/reply.ts";
import type { Recipient as RecipientAnswer } from "../../shared/rewrite_cache.ts";
import { evaluate, rejectUnlisted, softened } from "./restrictions.ts";
import type { Maybe } from "./services.ts";
import type { Session } from "./session.ts";

/** What a command adds to what the session knows. */
interface Subject {
  readonly helo?: string;
  readonly sender?: string | undefined;
  readonly recipient?: string | undefined;
  readonly resolved?: RecipientAnswer | undefined;
  readonly etrnDomain?: string;
}

/** The connection, before the greeting. */
export function checkClient(session: Session): Maybe<Reply | undefined> {
  return early(session, "client");
}

/** Before the session takes the name (RFC 5321 4.1.4). */
export function checkHelo(session: Session, helo: string): Maybe<Reply | undefined> {
  return early(session, "helo", { helo });
}

export function checkSender(session: Session, sender: string): Maybe<Reply | undefined> {
  return early(session, "sender", { sender });
}

/** RCPT and VRFY; asks everything that was put off, then whether the recipient is listed. */
export function checkRecipient(
  session: Session,
  recipient: string,
  resolved: RecipientAnswer,
): Maybe<Reply | undefined> {
  const { settings, putOff } = session;
  return refusal(session, settings.recipientLists, { recipient, resolved }, putOff);
}

export function checkData(session: Session): Maybe<Reply | undefined> {
  return refusal(session, ["data"], onlyRecipient(session));
}

export function checkEndOfData(session: Session): Maybe<Reply | undefined> {
  return refusal(session, ["end_of_data"], onlyRecipient(session));
}

export function checkEtrn(session: Session, etrnDomain: string): Maybe<Reply | undefined> {
  const lists = session.settings.delayReject ? EARLY_AND_ETRN : ETRN;
  return refusal(session, lists, { etrnDomain }, session.putOff);
}

/** What was known of the recipient at RCPT, where there is only one. */
function onlyRecipient({ transaction: { onlyRecipient, resolved } }: Session): Subject {
  return onlyRecipient === undefined ? {} : { recipient: onlyRecipient, resolved };
}

/** The refusal, or what comes without one. */
export function unless(
  refusal: Maybe<Reply | undefined>,
  otherwise: () => Reply,
): Maybe<Reply> {
  return refusal instanceof Promise
    ? refusal.then((late) => late ?? otherwise())
    : refusal ?? otherwise();
}

const ETRN: readonly ListName[] = ["etrn"];
const EARLY_AND_ETRN: readonly ListName[] = ["client", "helo", "etrn"];

/** Asks a list that nothing puts off; what it wants deferred where it is permitted waits for RCPT. */
function early(session: Session, list: EarlyList, subject?: Subject): Maybe<Reply | undefined> {
  if (session.settings.delayReject) return undefined;
  const check = view(session, subject);
  check.list = list;
  const decide = (verdict: Verdict) => {
    if (verdict instanceof Reply) return session.refuse(verdict, check);
    session.putOff[list] = check.deferIfPermit;
  };
  const verdict = evaluate(check.settings.lists[list], check);
  return verdict instanceof Promise ? verdict.then(decide) : decide(verdict);
}

/** Asks these lists; logs what refuses. */
function refusal(
  session: Session,
  lists: readonly ListName[],
  subject: Subject,
  { client, helo, sender }: Session["putOff"] = {},
): Maybe<Reply | undefined> {
  const check = view(session, subject);
  check.deferIfPermit = client ?? helo ?? sender;
  const refused = ask(lists, check);
  const logged = (refused: Reply | undefined) => refused && session.refuse(refused, check);
  return refused instanceof Promise ? refused.then(logged) : logged(refused);
}

/** Asks one list after the other: an OK ends its own list only. */
function ask(lists: readonly ListName[], check: Check, from = 0): Maybe<Reply | undefined> {
  for (let n = from; n < lists.length; n++) {
    // The restrictions of relay and recipient are later ones to each other, and to no others.
    if (isEarly(lists[n - 1])) check.deferIfReject = undefined;
    const list = check.list = lists[n]!;
    if (lacksSubject(list, check)) continue;
    const verdict = evaluate(check.settings.lists[list], check);
    if (verdict instanceof Promise) {
      return verdict.then((late) => late instanceof Reply ? late : ask(lists, check, n + 1));
    }
    if (verdict instanceof Reply) return verdict;
  }
  return unlisted(check) ?? check.deferIfPermit;
}

/** True for a list about what the client has not said: nobody is refused for a HELO or sender that there is not. */
function lacksSubject(list: ListName, { helo, sender }: Check): boolean {
  return list === "helo" && helo === undefined || list === "sender" && sender === undefined;
}

function isEarly(list: ListName | undefined): boolean {
  return EARLY_LISTS.some((early) => early === list);
}

/** Whom nobody knows, at RCPT and VRFY, is refused whatever the lists permit. */
function unlisted(check: Check): Reply | undefined {
  const verdict = check.settings.rejectUnlistedRecipient ? rejectUnlisted(check) : "dunno";
  return verdict instanceof Reply ? softened(check, verdict) : undefined;
}

function view(session: Session, subject: Subject = {}): Check {
  const { settings, services, transaction, clientName, peer, helo, illegalPipelining } = session;
  const check: Check = {
    settings,
    services,
    clientName,
    clientAddress: peer.address,
    helo: subject.helo ?? helo,
    sender: subject.sender ?? transaction.sender,
    recipient: subject.recipient,
    resolved: subject.resolved,
    etrnDomain: subject.etrnDomain,
    illegalPipelining,
    list: "client",
    deferIfPermit: undefined,
    deferIfReject: undefined,
    warn: (refused) => session.logRefusal("reject_warning", refused, check),
  };
  return check;
}
