/** Which domains an address may have. */

import ipaddr from "ipaddr.js";
import { toASCII } from "tr46";
import { parseAddress } from "../../shared/table/network.ts";

/** RFC 1035 2.3.4. */
const MAX_HOSTNAME = 255;
const MAX_LABEL = 63;

/** The address of `[192.0.2.1]` or `[IPv6:2001:db8::1]` in its usual form; undefined if it is neither (RFC 5321 4.1.3). */
export function literalAddress(domain: string): string | undefined {
  const match = /^\[(ipv6:)?([^[\]]+)\]$/i.exec(domain);
  if (!match) return undefined;
  const bytes = parseAddress(match[2]!);
  if (!bytes || (match[1] && bytes.length !== 16)) return undefined;
  return ipaddr.fromByteArray([...bytes]).toString();
}

/** True for four decimal numbers with dots. */
export function isNumeric(domain: string): boolean {
  return /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/.test(domain) && parseAddress(domain) !== undefined;
}

/** True for a hostname that could be looked up; in Unicode if `smtputf8`. Underscores are let pass, as they are in use. */
export function isHostname(domain: string, smtputf8: boolean): boolean {
  let name = domain;
  // deno-lint-ignore no-control-regex
  if (/[^\x00-\x7f]/.test(domain)) {
    const ascii = smtputf8 ? toASCII(domain, { transitionalProcessing: false }) : null;
    if (ascii === null) return false;
    name = ascii;
  }
  if (name.length > MAX_HOSTNAME || !/[^0-9.]/.test(name)) return false;
  return name.split(".").every((label) =>
    label.length <= MAX_LABEL && /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/i.test(label)
  );
}
