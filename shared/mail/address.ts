/**
 * Addresses in their two forms (RFC 5321 4.1.2): external, with the local part quoted where it must be, and internal,
 * without quoting. Everything inside the system is internal; logs, SMTP and headers are external.
 */

const DOT_ATOM =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+)*$/u;

/** Internal to external form: `a b@example.com` becomes `"a b"@example.com`. */
export function external(address: string): string {
  const at = address.lastIndexOf("@");
  const local = at < 0 ? address : address.slice(0, at);
  if (!address || DOT_ATOM.test(local)) return address;
  return `"${local.replace(/["\\]/g, "\\$&")}"${at < 0 ? "" : address.slice(at)}`;
}

/** The text after the right-most `@`, in lower case; empty when there is none. */
export function domainOf(address: string): string {
  const at = address.lastIndexOf("@");
  return at < 0 ? "" : address.slice(at + 1).toLowerCase();
}
