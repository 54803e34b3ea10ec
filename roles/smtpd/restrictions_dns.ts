/** Restrictions that ask the DNS. Trouble there is never a permanent refusal. */

import { asciiDomain } from "../../shared/net/nexthop.ts";
import { reply } from "../../shared/smtp/reply.ts";
import { domainOf, external } from "../../shared/mail/address.ts";
import { cannotResolve, type Check, refuse, temporaryFailure, type Verdict } from "./check.ts";

/** reject_unknown_sender_domain and reject_unknown_recipient_domain: no MX and no address (RFC 5321 5.1). */
export async function rejectUnknownDomain(
  check: Check,
  list: "sender" | "recipient",
  address: string | undefined,
): Promise<Verdict> {
  const domain = domainOf(address ?? "");
  if (!address || !domain || domain.startsWith("[")) return "dunno";
  // Our own domains need no MX.
  let { resolved } = check;
  if (list === "sender") {
    try {
      resolved = await check.services.recipient("", address);
    } catch (error) {
      return cannotResolve(address, error);
    }
    if (resolved.resolved.fail) return temporaryFailure(address);
  }
  if (resolved && resolved.resolved.class !== "default") return "dunno";
  return await unknownDomain(check, list, address, domain);
}

async function unknownDomain(
  check: Check,
  list: "sender" | "recipient",
  address: string,
  domain: string,
): Promise<Verdict> {
  const { settings } = check;
  const dsn = list === "sender" ? "4.1.8" : "4.1.2";
  const refused = (code: number) => refuse(check, list, code, dsn, "Domain not found");
  // The DNS knows A-labels alone (RFC 6531 3.2).
  const name = asciiDomain(domain);
  if (name === undefined) return refused(settings.unknownAddressRejectCode);
  const mx = await check.services.query(name, "MX");
  if (mx.status === "ok") {
    const isNull = mx.records.length === 1 && /^\.?$/.test(mx.records[0]!.data);
    return isNull ? refuseNullMx(list, address, domain) : "dunno";
  }
  const answers = [mx];
  for (const type of mx.status === "none" ? ["A", "AAAA"] as const : []) {
    const found = await check.services.query(name, type);
    if (found.status === "ok") return "dunno";
    answers.push(found);
  }
  if (!answers.some(({ status }) => status === "fail")) {
    return refused(settings.unknownAddressRejectCode);
  }
  const later = refused(450);
  if (settings.unknownAddressTempfailAction === "defer") return later;
  check.deferIfPermit ??= later;
  return "dunno";
}

/** RFC 7505. */
function refuseNullMx(list: "sender" | "recipient", address: string, domain: string): Verdict {
  const [code, dsn, what] = list === "sender"
    ? [550, "5.7.27", "Sender"] as const
    : [556, "5.1.10", "Recipient"] as const;
  return reply(
    code,
    dsn,
    `<${
      external(address)
    }>: ${what} address rejected: Domain ${domain} does not accept mail (nullMX)`,
  );
}
