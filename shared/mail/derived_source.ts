/** Sources of what follows from a submission, so that it counts once as well. */

import { createHash } from "node:crypto";

/**
 * The source (see `Source`) of what is made from the submission with this one; `what` tells its derivatives apart. Nobody names
 * it who does not know that submission: no maildrop file has these bytes.
 */
export function derivedSource(source: string, what: string): string {
  return createHash("sha256").update(`${source} ${what}`).digest("hex");
}
