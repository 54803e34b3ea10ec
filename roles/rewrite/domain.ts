/** Which domains an address may have. */

import { toASCII } from "tr46";
import { isAscii } from "../../shared/bytes.ts";
import { isHostname } from "../../shared/net/hostname.ts";
import { parseAddress } from "../../shared/net/network.ts";

/** True for four decimal numbers with dots. */
export function isNumeric(domain: string): boolean {
  return /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/.test(domain) && parseAddress(domain) !== undefined;
}

/** True for a hostname that could be looked up; in Unicode if `smtputf8`. */
export function isDomain(domain: string, smtputf8: boolean): boolean {
  if (isAscii(domain)) return isHostname(domain);
  const ascii = smtputf8 ? toASCII(domain, { transitionalProcessing: false }) : null;
  return ascii !== null && isHostname(ascii);
}
