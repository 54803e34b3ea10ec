/**
 * resolve: from a recipient to transport, next hop and class, in the order of reference 5.2. Local domains are peeled
 * off until an address of somewhere else, or a plain local user, is left: so `user%other@here` is seen for what it is.
 */

import { StorageError } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import { isDotAtom } from "../../shared/mail/address.ts";
import { MAX_ADDRESS } from "../../shared/mail/envelope.ts";
import { literalAddress } from "../../shared/net/network.ts";
import type { AddressClass, Resolved } from "../../shared/protocols/rewrite.ts";
import { isDomain, isNumeric } from "./domain.ts";
import { rewriteExposed, withoutTrailingDot } from "./rewrite.ts";
import { classOf, routeOf } from "./route.ts";
import type { Settings } from "./settings.ts";
import { type MaybePromise, need, run, type Steps } from "./steps.ts";

/** Peeling takes one round for each character at most; more means that a rule undoes another. */
const SPARE_ROUNDS = 100;

/** Where the recipient goes; a table that fails gives `fail`, never a wrong answer. */
export function resolve(
  settings: Settings,
  sender: string,
  address: string,
): MaybePromise<Resolved> {
  try {
    const resolved = run(resolveSteps(settings, sender, address));
    return resolved instanceof Promise
      ? resolved.catch((error) => failed(error, address))
      : resolved;
  } catch (error) {
    return failed(error, address);
  }
}

function failed(error: unknown, address: string): Resolved {
  if (!(error instanceof StorageError)) throw error;
  return {
    transport: "retry",
    nexthop: "4.3.0 address resolver failure",
    recipient: address,
    class: "default",
    routed: false,
    error: false,
    fail: true,
  };
}

function bad(recipient: string): Resolved {
  return {
    transport: "error",
    nexthop: "5.1.3 bad address syntax",
    recipient,
    class: "default",
    routed: false,
    error: true,
    fail: false,
  };
}

/** The steps of resolve, for callers that have further steps. */
function* resolveSteps(
  settings: Settings,
  sender: string,
  address: string,
): Steps<Resolved> {
  const { params } = settings;
  const peeled = yield* peel(settings, address);
  const numeric = params.resolveNumericDomain && isNumeric(peeled.domain);
  const domain = numeric ? `[${peeled.domain}]` : peeled.domain;
  const recipient = `${peeled.local}@${domain}`;
  if (recipient.length > MAX_ADDRESS) return bad(address);
  const sound = domain.startsWith("[")
    ? literalAddress(domain) !== undefined
    : isDomain(domain, params.smtputf8Enable);
  if (!sound) return bad(recipient);

  const folded = domain.toLowerCase();
  const kind = peeled.ours ? "local" : yield* classOf(settings, folded);
  yield* warnOfOverlap(settings, kind, folded);
  const route = yield* routeOf(settings, kind, sender, recipient, folded);
  return {
    ...route,
    recipient,
    class: kind,
    routed: recipient.slice(recipient.search(/[@!%]/) + 1) !== domain,
    error: recipient.startsWith("-") && !params.allowMinUser,
    fail: false,
  };
}

interface Peeled {
  readonly local: string;
  readonly domain: string;
  /** The domain is of the local class. */
  readonly ours: boolean;
}

/** Cuts local domains off the right until what is left cannot be routed any further; a plain user is of the last one cut off. */
function* peel(settings: Settings, address: string): Steps<Peeled> {
  const { params } = settings;
  let text = address;
  let cut: string | undefined;
  for (let rounds = address.length + SPARE_ROUNDS; rounds > 0; rounds--) {
    text = withoutTrailingDot(text);
    if (params.resolveNullDomain && text.endsWith("@")) text = text.slice(0, -1);
    const at = text.lastIndexOf("@");
    if (at >= 0) {
      const local = text.slice(0, at), domain = text.slice(at + 1);
      if (!(yield* need(settings.isLocal(domain)))) return { local, domain, ours: false };
      text = local;
      cut = domain;
    }
    if (hasRoute(settings, text)) text = rewriteExposed(params, text);
    else if (text === "") text = params.emptyAddressRecipient;
    else if (cut !== undefined) return { local: text, domain: cut, ours: true };
    else text = `${text}@${params.myhostname}`;
  }
  throw new StorageError(`address resolver loop: "${address}"`);
}

/** True if the text before a local domain names another place to go to. */
function hasRoute({ params }: Settings, local: string): boolean {
  const operators = local.includes("@") || (params.swapBangpath && local.includes("!")) ||
    (params.allowPercentHack && local.includes("%"));
  // What must be quoted is opaque only where the site says so: else a quoted address could relay.
  return operators && (params.resolveDequotedAddress || isDotAtom(local));
}

/** Domains that were looked at for being in two classes; bounded like everything. */
const looked = new Set<string>();
const MAX_LOOKED = 10_000;

/** A domain in two classes is a mistake that loses mail; it is said once for each domain. */
function* warnOfOverlap(settings: Settings, kind: AddressClass, domain: string): Steps<void> {
  if (kind === "default" || kind === "relay" || looked.has(domain)) return;
  if (looked.size >= MAX_LOOKED) looked.clear();
  looked.add(domain);
  const lists = [
    ["virtual_alias_domains", settings.virtualAliasDomains],
    ["virtual_mailbox_domains", settings.virtualMailboxDomains],
    ["relay_domains", settings.relayDomains],
  ] as const;
  const own = { local: -1, alias: 0, virtual: 1 }[kind];
  const name = own < 0 ? "mydestination" : lists[own]![0];
  try {
    // Mail for a local domain is not relayed: relay_domains may well be $mydestination.
    for (const [other, list] of lists.slice(own + 1, own < 0 ? 2 : 3)) {
      if (yield* need(list.matches(domain))) {
        warning(`do not list domain ${domain} in BOTH ${name} and ${other}`);
      }
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
  }
}
