/** IP addresses and networks as bytes: what cidr tables, address lists and `mynetworks` compare. */

import { isIP } from "node:net";

/** Four or sixteen bytes. */
export type AddressBytes = readonly number[];

/** An address with as many leading bits as count. */
export interface Network {
  readonly bytes: AddressBytes;
  readonly bits: number;
}

/** An address in its one usual form, without brackets, octal, hexadecimal or zone; undefined for anything else. */
export function parseAddress(text: string): AddressBytes | undefined {
  const version = text.includes("%") ? 0 : isIP(text);
  if (version === 4) return octets(text);
  if (version !== 6) return undefined;
  const [front, back = []] = text.split("::").map(groups) as [number[], number[]?];
  return [...front, ...new Array<number>(16 - front.length - back.length).fill(0), ...back];
}

function octets(dotted: string): number[] {
  return dotted.split(".").map(Number);
}

/** The bytes of groups between colons, the last of which may be an IPv4 address. */
function groups(text: string): number[] {
  if (!text) return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return octets(group);
    const value = parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** The usual form of an address: RFC 5952 for IPv6, but in hexadecimal to its end. */
export function addressText(bytes: AddressBytes): string {
  if (bytes.length === 4) return bytes.join(".");
  const words = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8 | bytes[2 * i + 1]!));
  return new URL(`http://[${words.map((word) => word.toString(16)).join(":")}]`).hostname
    .slice(1, -1);
}

/** How the IPv6 form of an IPv4 address begins: ::ffff:0:0/96. */
const MAPPED: AddressBytes = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** A peer's address as it is written everywhere: no zone, IPv4 in its own form; what is no address stays as it is. */
export function plainAddress(text: string): string {
  const bare = text.replace(/%.*$/s, "");
  const bytes = parseAddress(bare);
  if (!bytes) return bare;
  const isMapped = bytes.length === 16 && MAPPED.every((byte, i) => bytes[i] === byte);
  return addressText(isMapped ? bytes.slice(MAPPED.length) : bytes);
}

/** The address of `[192.0.2.1]` or `[IPv6:2001:db8::1]` in its usual form; undefined if it is neither (RFC 5321 4.1.3). */
export function literalAddress(domain: string): string | undefined {
  const match = /^\[(ipv6:)?([^[\]]+)\]$/i.exec(domain);
  if (!match) return undefined;
  const bytes = parseAddress(match[2]!);
  if (!bytes || (match[1] && bytes.length !== 16)) return undefined;
  return addressText(bytes);
}

/** The address with all but its first `bits` cleared. */
export function firstBits(bytes: AddressBytes, bits: number): AddressBytes {
  return bytes.map((byte, i) => byte & mask(i, bits));
}

/**
 * `192.0.2.0/24`, `[2001:db8::]/32`, `[2001:db8::/32]`, or one address. Undefined if it is no network at all, a text if
 * it is one with a mistake: bits after the mask mean that something else was meant.
 */
export function parseNetwork(text: string): Network | string | undefined {
  const open = text.replace(/^\[([^[\]]+)\]$/, "$1");
  const match = /^(?:\[([0-9a-f:.]+)\]|([0-9a-f:.]+))(?:\/([0-9]+))?$/i.exec(open);
  const bytes = match ? parseAddress(match[1] ?? match[2]!) : undefined;
  if (!match || !bytes) return undefined;
  const all = bytes.length * 8;
  const bits = match[3] === undefined ? all : Number(match[3]);
  if (bits > all) return `bad net/mask pattern: "${text}"`;
  if (bytes.some((byte, i) => byte & ~mask(i, bits))) {
    const shown = addressText(firstBits(bytes, bits));
    const proper = all === 128 ? `[${shown}]/${bits}` : `${shown}/${bits}`;
    return `non-null host address bits in "${text}", perhaps "${proper}" is meant`;
  }
  return { bytes, bits };
}

/** True if the address is of that network. */
export function contains(network: Network, address: AddressBytes): boolean {
  if (address.length !== network.bytes.length) return false;
  for (let i = 0; i * 8 < network.bits; i++) {
    if ((address[i]! ^ network.bytes[i]!) & mask(i, network.bits)) return false;
  }
  return true;
}

/** The mask of the byte at `index` when the first `bits` count. */
function mask(index: number, bits: number): number {
  const left = bits - index * 8;
  return left >= 8 ? 0xff : left <= 0 ? 0 : (0xff00 >> left) & 0xff;
}
