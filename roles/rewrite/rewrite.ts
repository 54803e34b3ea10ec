/** rewrite: an address in its standard form, step by step in the order of reference 5.3. */

import { MAX_ADDRESS } from "../../shared/mail/envelope.ts";
import { isDotAtom } from "../../shared/mail/address.ts";
import type { Params } from "./settings.ts";

/** What is appended, and where. */
interface Rules {
  readonly origin: string;
  readonly domain: string;
}

/** The address in standard form. `local` completes it with our own names, `remote` with remote_header_rewrite_domain. */
export function rewrite(params: Params, context: "local" | "remote", address: string): string {
  const remote = params.remoteHeaderRewriteDomain;
  const rules = context === "local"
    ? { origin: params.myorigin, domain: params.mydomain }
    : { origin: remote, domain: remote };
  const standard = toStandard(params, rules, address, false);
  return standard.length > MAX_ADDRESS ? address : standard;
}

/** The same for text that resolve has cut open, so that nothing in it counts as quoted. */
export function rewriteExposed(params: Params, text: string): string {
  return toStandard(params, { origin: params.myorigin, domain: params.mydomain }, text, true);
}

function toStandard(params: Params, rules: Rules, text: string, exposed: boolean): string {
  if (text === "") return "";
  if (text === "@") return "";
  let address = exposed ? withoutRoute(text) : text;
  if (!address.includes("@")) address = withDomain(params, rules, address, exposed);
  if (params.appendDotMydomain && rules.domain) address = withDot(address, rules.domain);
  return withoutTrailingDot(address);
}

/**
 * `@one,@two:user@domain` is user@domain (RFC 5321 3.6.1); only where something follows the colon. Whoever reads addresses
 * leaves routes out, so that in internal form only a quoted local part begins like one.
 */
function withoutRoute(address: string): string {
  if (!address.startsWith("@")) return address;
  const colon = address.indexOf(":");
  return colon > 0 && colon < address.length - 1 ? address.slice(colon + 1) : address;
}

/** Turns `site!user` and `user%site` around, else appends our origin. */
function withDomain(params: Params, { origin }: Rules, local: string, exposed: boolean): string {
  const open = exposed || isDotAtom(local);
  const bang = params.swapBangpath && open ? local.indexOf("!") : -1;
  if (bang >= 0) return `${local.slice(bang + 1)}@${local.slice(0, bang)}`;
  const percent = params.allowPercentHack && open ? local.lastIndexOf("%") : -1;
  if (percent >= 0) return `${local.slice(0, percent)}@${local.slice(percent + 1)}`;
  return params.appendAtMyorigin && origin ? `${local}@${origin}` : local;
}

function withDot(address: string, mydomain: string): string {
  const at = address.lastIndexOf("@");
  const domain = address.slice(at + 1);
  if (at < 0 || !domain || domain.includes(".") || domain.startsWith("[")) return address;
  return `${address}.${mydomain}`;
}

/** Takes one dot off the end, not of `..` and not of `@.`. */
export function withoutTrailingDot(address: string): string {
  return /[^.@]\.$/.test(address) ? address.slice(0, -1) : address;
}
