/** What a host name may look like (RFC 1123 2.1). */

/** RFC 1035 2.3.4. */
const MAX_HOSTNAME = 255;
// Underscores are common in the real world, and Postfix takes them; names in Unicode are judged by who looks them up.
const LABEL =
  /^[A-Za-z0-9_\u0080-\u{10ffff}]([A-Za-z0-9_\u0080-\u{10ffff}-]{0,61}[A-Za-z0-9_\u0080-\u{10ffff}])?$/u;

/** True for letters, digits, hyphens and underscores in labels; false for what is a number. */
export function isHostname(name: string): boolean {
  if (!name || name.length > MAX_HOSTNAME || /^[0-9.]+$/.test(name)) return false;
  return name.split(".").every((label) => LABEL.test(label));
}
