/** Lists of networks such as `mynetworks`: `10.0.0.0/8 [::1]/128 !10.9.9.9`; the first item that matches decides. */

import { ConfigError } from "../../shared/errors.ts";
import {
  addressText,
  contains,
  firstBits,
  type Network,
  parseAddress,
  parseNetwork,
  plainAddress,
} from "../../shared/net/network.ts";
import { smtpdParameters } from "../../shared/parameters/smtpd.ts";

export type Matcher = (address: string) => boolean;

/** Answers that are remembered: a client is asked about with each of its recipients. */
const MAX_KNOWN = 1000;

interface Item {
  readonly network: Network;
  readonly included: boolean;
}

/** True for what `mynetworks` is when nothing is said. */
export function isDefault(list: readonly string[]): boolean {
  return list.join(" ") === smtpdParameters.mynetworks.fallback;
}

/** The addresses among the words of `inet_interfaces`. */
export function addressesOf(interfaces: readonly string[]): string[] {
  return interfaces.filter((word) => parseAddress(word.replace(/^\[(.*)\]$/, "$1")));
}

/**
 * Compiles the list of `parameter`. The default list gets the addresses that `inet_interfaces` names beside it: those of
 * this machine cannot be asked for without a right that smtpd does not hold.
 */
export function networks(
  parameter: string,
  list: readonly string[],
  inetInterfaces: readonly string[] = [],
): Matcher {
  const own = isDefault(list) ? addressesOf(inetInterfaces) : [];
  const items = [...list, ...own].map((item) => parse(parameter, item));
  const known = new Map<string, boolean>();
  return (address) => {
    let inside = known.get(address);
    if (inside === undefined) {
      inside = matches(items, address);
      if (known.size >= MAX_KNOWN) known.clear();
      known.set(address, inside);
    }
    return inside;
  };
}

function matches(items: readonly Item[], text: string): boolean {
  const address = parseAddress(plainAddress(text));
  const found = address && items.find(({ network }) => contains(network, address));
  return found !== undefined && found.included;
}

function parse(parameter: string, text: string): Item {
  const included = !text.startsWith("!");
  const item = included ? text : text.slice(1);
  const network = parseNetwork(item);
  if (typeof network === "string") throw new ConfigError(`${parameter}: ${network}`);
  if (network) return { network, included };
  if (/^\/|^[a-z]+:[^:]/.test(item)) {
    throw new ConfigError(`${parameter}: tables and files are not built yet: "${item}"`);
  }
  throw new ConfigError(`${parameter}: must be a network or address: is "${item}"`);
}

/** The network that counts as one client, for limits: `smtpd_client_ipv4_prefix_length` and its sister. */
export function clientNetwork(address: string, ipv4Bits: number, ipv6Bits: number): string {
  const bytes = parseAddress(address);
  if (!bytes) return address;
  const bits = bytes.length === 4 ? ipv4Bits : ipv6Bits;
  return bits === bytes.length * 8 ? address : `${addressText(firstBits(bytes, bits))}/${bits}`;
}
