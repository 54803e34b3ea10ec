/** What a submitter hears when its message is not taken (reference 5.4). Local trouble is 4xx, always. */

import * as replies from "../../shared/smtp/replies.ts";
import type { Reply } from "../../shared/smtp/reply.ts";

/** A message that is not queued. */
export class Refusal {
  constructor(readonly code: number, readonly dsn: string, readonly text: string) {}
}

export const TOO_MANY_HOPS = new Refusal(554, "5.4.0", "Error: too many hops");
export const NO_RECIPIENTS = new Refusal(550, "5.1.0", "Error: no recipients specified");
export const ALIAS_ERROR = new Refusal(451, "4.6.0", "Alias expansion error");
export const WRITE_ERROR = refusal(replies.WRITE_ERROR);
export const NO_SPACE = refusal(replies.NO_SPACE);
export const PROTOCOL_ERROR = refusal(replies.PROTOCOL_ERROR);

/** What smtpd says too. */
function refusal({ code, dsn, lines }: Reply): Refusal {
  return new Refusal(code, dsn, lines.join(" "));
}
