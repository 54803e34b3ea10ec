/**
 * The restriction language of smtpd (reference 3.4): a table from name to function, and the evaluation of lists from left to
 * right. Their syntax is declared with the parameters.
 */

import { external } from "../../shared/mail/address.ts";
import { splitStatus } from "../../shared/mail/status_text.ts";
import type { Restriction, RestrictionName } from "../../shared/parameters/restrictions.ts";
import { Reply, reply } from "../../shared/smtp/reply.ts";
import { type Check, isPostmaster, refuse, temporaryFailure, type Verdict } from "./check.ts";
import { needsFqdn, validHelo } from "./hostnames.ts";
import { rejectUnknownDomain } from "./restrictions_dns.ts";
import type { Maybe } from "./services.ts";

export interface Step {
  readonly warn: boolean;
  run(check: Check): Maybe<Verdict>;
}

type Run = (check: Check, argument: string) => Maybe<Verdict>;

/** Asks each step in turn; synchronous as long as every step is. */
export function evaluate(steps: readonly Step[], check: Check, from = 0): Maybe<Verdict> {
  for (let n = from; n < steps.length; n++) {
    const step = steps[n]!;
    const verdict = step.run(check);
    if (verdict instanceof Promise) {
      return verdict.then((late) => {
        const decided = decide(step, check, late);
        return decided === "dunno" ? evaluate(steps, check, n + 1) : decided;
      });
    }
    const decided = decide(step, check, verdict);
    if (decided !== "dunno") return decided;
  }
  return "dunno";
}

function decide(step: Step, check: Check, verdict: Verdict): Verdict {
  if (!(verdict instanceof Reply)) return verdict;
  if (step.warn) {
    check.warn(verdict);
    return "dunno";
  }
  return softened(check, verdict);
}

/** What `defer_if_reject` makes of a refusal. */
export function softened(check: Check, refused: Reply): Reply {
  return refused.code >= 500 ? check.deferIfReject ?? refused : refused;
}

/** Joins the restrictions of a list with what they do. */
export function compile(list: readonly Restriction[]): Step[] {
  return list.map(({ name, argument, warn }) => ({
    warn,
    run: (check) => entries[name](check, argument),
  }));
}

const entries: Readonly<Record<RestrictionName, Run>> = {
  permit: () => "ok",
  reject: (check) => refuse(check, check.list, check.settings.rejectCode, "5.7.1", "Access denied"),
  defer: (check) => refuse(check, check.list, check.settings.deferCode, "4.3.2", "Try again later"),
  defer_if_permit(check) {
    check.deferIfPermit ??= requested(check, "defer_if_permit");
    return "dunno";
  },
  defer_if_reject(check) {
    check.deferIfReject ??= requested(check, "defer_if_reject");
    return "dunno";
  },
  async sleep(check, seconds): Promise<Verdict> {
    await check.services.clock.sleep(Number(seconds) * 1000);
    return "dunno";
  },
  permit_mynetworks: (check) => check.settings.mynetworks(check.clientAddress) ? "ok" : "dunno",
  permit_inet_interfaces: (check) =>
    check.settings.ownAddresses(check.clientAddress) ? "ok" : "dunno",
  // No session is authenticated before the auth role is built.
  permit_sasl_authenticated: () => "dunno",
  permit_auth_destination: (check) => isAuthorized(check) ? "ok" : "dunno",
  reject_unauth_destination: (check) => relayDenied(check, check.settings.relayDomainsRejectCode),
  defer_unauth_destination: (check) => relayDenied(check, DEFER_RELAY_CODE),
  reject_unauth_pipelining: (check) =>
    check.illegalPipelining
      ? refuse(check, check.list, 503, "5.5.0", "Improper use of SMTP command pipelining")
      : "dunno",
  reject_invalid_helo_hostname: (check) =>
    check.helo === undefined || validHelo(check.helo)
      ? "dunno"
      : refuse(check, "helo", check.settings.invalidHostnameRejectCode, "5.5.2", "Invalid name"),
  reject_non_fqdn_helo_hostname: (check) =>
    check.helo === undefined || !needsFqdn(check.helo) ? "dunno" : refuse(
      check,
      "helo",
      check.settings.nonFqdnRejectCode,
      "5.5.2",
      "need fully-qualified hostname",
    ),
  reject_non_fqdn_sender: (check) => rejectNonFqdn(check, "sender", check.sender),
  reject_non_fqdn_recipient: (check) => rejectNonFqdn(check, "recipient", check.recipient),
  reject_unknown_sender_domain: (check) => rejectUnknownDomain(check, "sender", check.sender),
  reject_unknown_recipient_domain: (check) =>
    rejectUnknownDomain(check, "recipient", check.recipient),
  reject_unlisted_recipient: rejectUnlisted,
};

const DEFER_RELAY_CODE = 454;

function requested(check: Check, name: string): Reply {
  return refuse(check, check.list, 450, "4.7.0", `${name} requested`);
}

/** The recipient's domain is one of ours, or one that we relay for, with no other route in its local part. */
function isAuthorized({ recipient, resolved }: Check): boolean {
  if (resolved === undefined) return recipient !== undefined && isPostmaster(recipient);
  return resolved.resolved.class !== "default" && !resolved.resolved.routed;
}

function relayDenied(check: Check, code: number): Verdict {
  if (check.recipient === undefined || isAuthorized(check)) return "dunno";
  return reply(code, "5.7.1", `<${external(check.recipient)}>: Relay access denied`);
}

function rejectNonFqdn(
  check: Check,
  list: "sender" | "recipient",
  address: string | undefined,
): Verdict {
  if (!address) return "dunno";
  const domain = address.slice(address.lastIndexOf("@") + 1);
  if (address.includes("@") && !needsFqdn(domain)) return "dunno";
  const code = check.settings.nonFqdnRejectCode;
  return refuse(check, list, code, "5.5.2", "need fully-qualified address");
}

/** Refuses a recipient that the list of its address class does not have. */
export function rejectUnlisted(check: Check): Verdict {
  const { resolved, recipient, settings } = check;
  if (recipient === undefined || resolved === undefined) return "dunno";
  if (resolved.resolved.fail || resolved.listed === "fail") return temporaryFailure(recipient);
  if (resolved.resolved.error) {
    return refuse(check, "recipient", 501, "5.1.3", "bad address syntax");
  }
  if (resolved.listed === "error") {
    const { transport, nexthop } = resolved.resolved;
    const [code, fallback] = transport === "retry" ? [450, "4.1.1"] : [550, "5.1.1"];
    const { dsn, text } = splitStatus(nexthop, fallback);
    return refuse(check, "recipient", code, dsn, text);
  }
  if (resolved.listed !== "no") return "dunno";
  const [code, where] = settings.unknownRecipient[resolved.resolved.class];
  return refuse(
    check,
    "recipient",
    code,
    "5.1.1",
    settings.showUserUnknownTableName ? `User unknown in ${where} table` : "User unknown",
  );
}
