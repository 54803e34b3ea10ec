/**
 * Addresses in their two forms (RFC 5321 4.1.2): external, with the local part quoted where it must be, and internal,
 * without quoting. Everything inside the system is internal; logs, SMTP and headers are external.
 */

export { parsePath } from "./address_parse.ts";

const DOT_ATOM =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+)*$/u;

/** True if a local part stands without quotes (RFC 5322 3.2.3). */
export function isDotAtom(local: string): boolean {
  return DOT_ATOM.test(local);
}

/** Internal to external form: `a b@example.com` becomes `"a b"@example.com`. */
export function external(address: string): string {
  const at = address.lastIndexOf("@");
  const local = at < 0 ? address : address.slice(0, at);
  if (!address || DOT_ATOM.test(local)) return address;
  return `"${local.replace(/["\\]/g, "\\$&")}"${at < 0 ? "" : address.slice(at)}`;
}

/** External to internal form, the reverse of `external()`; text that is not quoted comes back as it is. */
export function internal(address: string): string {
  if (!address.startsWith('"')) return address;
  const quoted = /^"((?:[^"\\]|\\[^])*)"(?=@|$)/.exec(address);
  if (!quoted) return address;
  return quoted[1]!.replace(/\\([^])/g, "$1") + address.slice(quoted[0].length);
}

/** The text before the right-most `@`; the whole address when there is none. */
export function localPartOf(address: string): string {
  const at = address.lastIndexOf("@");
  return at < 0 ? address : address.slice(0, at);
}

/** The text after the right-most `@`, in lower case; empty when there is none. */
export function domainOf(address: string): string {
  const at = address.lastIndexOf("@");
  return at < 0 ? "" : address.slice(at + 1).toLowerCase();
}

/** The local part that `double_bounce_sender` is unless somebody sets it. */
export const DOUBLE_BOUNCE = "double-bounce";

/** True for `double_bounce_sender`, which is `sender`, in any domain: of use for addresses that are known to be ours. */
export function isDoubleBounce(address: string, sender: string): boolean {
  return localPartOf(address).toLowerCase() === sender.toLowerCase();
}

/** The parameters that our own notifications have their sender from. */
export interface Notifier {
  readonly doubleBounceSender: string;
  readonly myorigin: string;
  readonly mydomain: string;
}

/** True for the sender of our own notices, which are never answered; not for somebody of that name elsewhere. */
export function isNotifier(
  address: string,
  { doubleBounceSender, myorigin, mydomain }: Notifier,
): boolean {
  if (!isDoubleBounce(address, doubleBounceSender)) return false;
  const domain = domainOf(address), origin = myorigin.toLowerCase();
  // rewrite completes an origin of one label (append_dot_mydomain).
  return !domain || domain === origin || domain === `${origin}.${mydomain.toLowerCase()}`;
}

/** Names that never have an extension: mail to them must arrive. */
const WHOLE = new Set(["postmaster", "mailer-daemon", DOUBLE_BOUNCE]);

/**
 * Splits a local part at its first `recipient_delimiter` character: `joe+news` is `joe` and `+news` (reference 4.1).
 * The extension keeps its delimiter; it is empty when there is none.
 */
export function splitExtension(
  local: string,
  delimiters: string,
  ownerRequestSpecial = true,
): { user: string; extension: string } {
  const whole = { user: local, extension: "" };
  if (!delimiters) return whole;
  const folded = local.toLowerCase();
  if (WHOLE.has(folded)) return whole;
  // Mailing list names of the form owner-list and list-request are one name, not a name with an extension.
  const lists = ownerRequestSpecial && delimiters.includes("-");
  if (lists && (folded.startsWith("owner-") || folded.endsWith("-request"))) {
    return whole;
  }
  for (let i = 1; i < local.length; i++) {
    if (!delimiters.includes(local[i]!)) continue;
    return { user: local.slice(0, i), extension: local.slice(i) };
  }
  return whole;
}
