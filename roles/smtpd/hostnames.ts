/** What a client may call itself, and which names have a domain (RFC 5321 4.1.3). */

import { isHostname } from "../../shared/net/hostname.ts";
import { literalAddress, parseAddress } from "../../shared/net/network.ts";

/** What HELO may name: a host, an address literal, or a plain address. */
export function validHelo(helo: string): boolean {
  if (helo.startsWith("[")) return literalAddress(helo) !== undefined;
  return isHostname(helo) || parseAddress(helo) !== undefined;
}

/** True when the name is neither an address literal nor a host name with a domain. */
export function needsFqdn(name: string): boolean {
  if (name.startsWith("[")) return literalAddress(name) === undefined;
  const bare = name.endsWith(".") ? name.slice(0, -1) : name;
  return !bare.includes(".") || !isHostname(bare);
}
