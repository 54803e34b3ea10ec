/** Which domains an address may have. */

import { toASCII } from "tr46";
import { parseAddress } from "../../shared/net/network.ts";

/** RFC 1035 2.3.4. */
const MAX_HOSTNAME = 255;
const MAX_LABEL = 63;

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
