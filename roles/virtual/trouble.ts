/** What can go wrong with a file, and what becomes of the recipient then (reference 4.5). */

import { reason } from "../../shared/errors.ts";

/** A file operation failed: what was tried, on which path, and the system's word for it. */
export class Trouble extends Error {
  override name = "Trouble";
  /** The system's code, such as ENOSPC; undefined where it gave none. */
  readonly code: string | undefined;

  constructor(action: string, path: string, cause: unknown) {
    super(`${action} ${path}: ${systemText(cause)}`);
    this.code = codeOf(cause);
  }
}

/** The code of a system error, such as ENOENT. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** `ENOSPC: no space left on device, open '/x'` and `No space left on device (os error 28)`, without what is ours. */
function systemText(error: unknown): string {
  return reason(error)
    .replace(/^[A-Z0-9]+: /, "")
    .replace(/, [a-z]+( '.*)?$/s, "")
    .replace(/ \(os error [0-9]+\).*$/s, "");
}

/** A full mailbox is the recipient's; every other trouble is ours, and never bounces mail. */
export function consequence(error: unknown): { status: "deferred" | "bounced"; dsn: string } {
  switch (codeOf(error)) {
    case "EDQUOT":
    case "EFBIG":
      return { status: "bounced", dsn: "5.2.2" };
    case "ENOSPC":
      return { status: "deferred", dsn: "4.3.0" };
    default:
      return { status: "deferred", dsn: "4.2.0" };
  }
}
