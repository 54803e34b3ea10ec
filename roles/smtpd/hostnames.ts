/** What a host name in SMTP may look like (RFC 1123 2.1, RFC 5321 4.1.3). */

import ipaddr from "ipaddr.js";

const MAX_HOSTNAME = 255;
// Underscores are common in the real world, and Postfix takes them.
const LABEL =
  /^[A-Za-z0-9_\u0080-\u{10ffff}]([A-Za-z0-9_\u0080-\u{10ffff}-]{0,61}[A-Za-z0-9_\u0080-\u{10ffff}])?$/u;

/** A host name: letters, digits, hyphens and underscores in labels; not a number. */
export function validHostname(name: string): boolean {
  if (!name || name.length > MAX_HOSTNAME || /^[0-9.]+$/.test(name)) return false;
  return name.split(".").every((label) => LABEL.test(label));
}

/** `[192.0.2.1]` or `[IPv6:2001:db8::1]`. */
function isAddressLiteral(text: string): boolean {
  const [, inner] = /^\[(?:IPv6:)?([^\]]+)\]$/i.exec(text) ?? [];
  return inner !== undefined && isAddress(inner);
}

function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);
}

/** What HELO may name: a host, an address literal, or a plain address. */
export function validHelo(helo: string): boolean {
  return helo.startsWith("[") ? isAddressLiteral(helo) : validHostname(helo) || isAddress(helo);
}

/** True when the name is neither an address literal nor a host name with a domain. */
export function needsFqdn(name: string): boolean {
  if (name.startsWith("[")) return !isAddressLiteral(name);
  const bare = name.endsWith(".") ? name.slice(0, -1) : name;
  return !bare.includes(".") || !validHostname(bare);
}
