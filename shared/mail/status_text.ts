/** `5.7.1 text`: what tables and transports say for error and its kin, a status code (RFC 3463) first or not. */

const STATUS = /^([245])(\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)/;

/** The code, in the class of `fallback` whatever the text says, and the rest; `fallback` without a code. */
export function splitStatus(text: string, fallback: string): { dsn: string; text: string } {
  const match = STATUS.exec(text);
  return {
    dsn: match ? fallback[0] + match[2]! : fallback,
    text: (match ? text.slice(match[0].length) : text) || "no reason given",
  };
}
