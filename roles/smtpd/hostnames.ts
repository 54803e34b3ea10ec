/** What a client may call itself, and which names have a domain (RFC 5321 4.1.3). */

import { isAscii } from "../../shared/bytes.ts";
import { isHostname } from "../../shared/net/hostname.ts";
import { literalAddress, parseAddress } from "../../shared/net/network.ts";

/** What HELO may name: a host, an address literal, or a plain address. It is ASCII: SMTPUTF8 was not offered yet. */
export function validHelo(helo: string): boolean {
  if (helo.startsWith("[")) return literalAddress(helo) !== undefined;
  return isAscii(helo) && isHostname(relative(helo)) || parseAddress(helo) !== undefined;
}

/** True when the name is neither an address literal nor a host name with a domain. */
export function needsFqdn(name: string): boolean {
  if (name.startsWith("[")) return literalAddress(name) === undefined;
  const bare = relative(name);
  return !bare.includes(".") || !isHostname(bare);
}

/** Without the dot that ends a name at the root of all. */
function relative(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}
