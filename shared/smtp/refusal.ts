/** Why a message is not queued, as a value: what an SMTP client would hear, for submitters that are none. */

import type { Reply } from "./reply.ts";

/** Code, enhanced status code and text of one line. */
export class Refusal {
  constructor(readonly code: number, readonly dsn: string, readonly text: string) {}
}

/** What a server says, said to a submitter. */
export function refusalOf({ code, dsn, lines }: Reply): Refusal {
  return new Refusal(code, dsn, lines.join(" "));
}
