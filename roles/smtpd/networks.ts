/** Lists of networks such as `mynetworks`: `10.0.0.0/8 [::1]/128 !10.9.9.9`; the first item that matches decides. */

import ipaddr from "ipaddr.js";
import { ConfigError } from "../../shared/errors.ts";

export type Matcher = (address: string) => boolean;

/** What `mynetworks` is when nothing is said. */
const DEFAULT = "127.0.0.0/8 [::1]/128";

/** Answers that are remembered: a client is asked about with each of its recipients. */
const MAX_KNOWN = 1000;

type Address = ipaddr.IPv4 | ipaddr.IPv6;

interface Item {
  readonly network: Address;
  readonly bits: number;
  readonly included: boolean;
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
  const own = list.join(" ") === DEFAULT
    ? inetInterfaces.filter((each) => ipaddr.isValid(unbracketed(each)))
    : [];
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
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.process(text);
  const found = items.find(({ network, bits }) =>
    network.kind() === address.kind() && address.match(network as ipaddr.IPv6, bits)
  );
  return found !== undefined && found.included;
}

function parse(parameter: string, text: string): Item {
  const included = !text.startsWith("!");
  const item = included ? text : text.slice(1);
  const [, host, bits] = /^([^/]+?)(?:\/([0-9]{1,3}))?$/.exec(item) ?? [];
  const bare = unbracketed(host ?? "");
  if (item.startsWith("/") || /^[a-z]+:[^:]/.test(item) && !item.includes("::")) {
    throw new ConfigError(`${parameter}: tables and files are not built yet: "${item}"`);
  }
  const isAddress = host !== undefined && ipaddr.isValid(bare) &&
    !(bare.includes(".") && !ipaddr.IPv4.isValidFourPartDecimal(bare) && !bare.includes(":"));
  if (!isAddress) throw new ConfigError(`${parameter}: must be a network or address: is "${item}"`);
  const network = ipaddr.parse(bare);
  const width = network.kind() === "ipv4" ? 32 : 128;
  const length = bits === undefined ? width : Number(bits);
  if (length > width) throw new ConfigError(`${parameter}: prefix too long: "${item}"`);
  if (masked(network, length).toString() !== network.toString()) {
    throw new ConfigError(`${parameter}: non-null host address bits in "${item}"`);
  }
  return { network, bits: length, included };
}

function unbracketed(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

function masked(address: Address, bits: number): Address {
  const bytes = address.toByteArray().map((byte, n) => {
    const keep = Math.max(0, Math.min(8, bits - n * 8));
    return byte & (0xff00 >> keep) & 0xff;
  });
  return ipaddr.fromByteArray(bytes);
}

/** A peer's address as it is written everywhere: no zone, IPv4 in its own form. */
export function plainAddress(text: string): string {
  const bare = text.replace(/%.*$/, "");
  return ipaddr.isValid(bare) ? ipaddr.process(bare).toString() : bare;
}

/** The network that counts as one client, for limits: `smtpd_client_ipv4_prefix_length` and its sister. */
export function clientNetwork(address: string, ipv4Bits: number, ipv6Bits: number): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  const bits = parsed.kind() === "ipv4" ? ipv4Bits : ipv6Bits;
  const whole = bits === (parsed.kind() === "ipv4" ? 32 : 128);
  return whole ? address : `${masked(parsed, bits)}/${bits}`;
}
