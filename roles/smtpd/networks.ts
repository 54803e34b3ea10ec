/** Lists of networks such as `mynetworks`: `10.0.0.0/8 [::1]/128 !10.9.9.9`; the first item that matches decides. */

import { ConfigError } from "../../shared/errors.ts";
import {
  addressText,
  contains,
  firstBits,
  type Network,
  parseAddress,
  plainAddress,
} from "../../shared/net/network.ts";
import { type NetworkItem, networkItem } from "../../shared/net/network_list.ts";
import { interfaceAddress } from "../../shared/parameters/parsers.ts";

export type Matcher = (address: string) => boolean;

/** Answers that are remembered: a client is asked about with each of its recipients. */
const MAX_KNOWN = 1000;

interface Item {
  readonly network: Network;
  readonly included: boolean;
}

/** The addresses among the words of `inet_interfaces`. */
export function addressItems(interfaces: readonly string[]): NetworkItem[] {
  return interfaces.map(interfaceAddress).filter((address) => address !== undefined)
    .map(networkItem);
}

/** The test for an address. */
export function networks(list: readonly NetworkItem[]): Matcher {
  const items = list.map(item);
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

/** No role but rewrite reads files: the supervisor hands over what is in them. */
function item(item: NetworkItem): Item {
  if (!("network" in item)) throw new ConfigError(`${item.text}: a file was not read`);
  return item;
}

/** The network that counts as one client, for limits: `smtpd_client_ipv4_prefix_length` and its sister. */
export function clientNetwork(address: string, ipv4Bits: number, ipv6Bits: number): string {
  const bytes = parseAddress(address);
  if (!bytes) return address;
  const bits = bytes.length === 4 ? ipv4Bits : ipv6Bits;
  return bits === bytes.length * 8 ? address : `${addressText(firstBits(bytes, bits))}/${bits}`;
}
