/** Which addresses are ours: rewrite delivers mail for them here, and smtp sends none to them. */

import { interfaceAddress } from "./parsers.ts";

const LOOPBACK = ["127.0.0.1", "::1"];

/** The parameters that say so; hostAddresses has all the host's interfaces. */
export interface Receiving {
  readonly inetInterfaces: readonly string[];
  readonly proxyInterfaces: readonly string[];
  readonly hostAddresses: readonly string[];
}

/**
 * The addresses on which this instance receives mail, in their usual form: on others another one may. Names among them are not
 * looked up, but localhost is known.
 */
export function ownAddresses(receiving: Receiving): Set<string> {
  const { inetInterfaces, proxyInterfaces, hostAddresses } = receiving;
  const named = inetInterfaces.flatMap((word) => {
    const folded = word.toLowerCase();
    if (folded === "all") return [...hostAddresses, ...LOOPBACK];
    return folded === "loopback-only" || folded === "localhost" ? LOOPBACK : [word];
  });
  const addresses = [...named, ...proxyInterfaces].map(interfaceAddress);
  return new Set(addresses.filter((address) => address !== undefined));
}
