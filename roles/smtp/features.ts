/** What a server offers in its reply to EHLO or LHLO (RFC 5321 4.1.1.1). */

import { upperCase } from "../../shared/smtp/keyword.ts";

/** What the server said it can do. */
export interface Features {
  readonly pipelining: boolean;
  readonly eightBit: boolean;
  readonly utf8: boolean;
  readonly dsn: boolean;
  readonly starttls: boolean;
  /** SIZE was offered; the largest message it takes, 0 unknown. */
  readonly size: boolean;
  readonly sizeLimit: number;
}

/** Of a server that only knows HELO. */
export const NO_FEATURES: Features = {
  pipelining: false,
  eightBit: false,
  utf8: false,
  dsn: false,
  starttls: false,
  size: false,
  sizeLimit: 0,
};

/** The keywords of an EHLO or LHLO reply, its first line left out. */
export function features(lines: readonly string[], discarded: readonly string[]): Features {
  const offered = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const [keyword = "", value = ""] = line.trim().split(/\s+/);
    offered.set(upperCase(keyword), value);
  }
  for (const keyword of discarded) offered.delete(upperCase(keyword));
  const size = offered.get("SIZE");
  return {
    pipelining: offered.has("PIPELINING"),
    eightBit: offered.has("8BITMIME"),
    utf8: offered.has("SMTPUTF8"),
    dsn: offered.has("DSN"),
    starttls: offered.has("STARTTLS"),
    size: size !== undefined,
    sizeLimit: size && /^[0-9]{1,15}$/.test(size) ? Number(size) : 0,
  };
}
