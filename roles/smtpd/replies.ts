/** Replies that several commands give (reference 3.3). */

import { type Reply, reply } from "../../shared/smtp/reply.ts";

export const READY_FOR_TLS = reply(220, "2.0.0", "Ready to start TLS");
export const HELO_FIRST = reply(503, "5.5.1", "Error: send HELO/EHLO first");
export const NOT_IMPLEMENTED = reply(502, "5.5.1", "Error: command not implemented");
export const UNICODE_WITHOUT_SMTPUTF8 = reply(
  553,
  "5.6.7",
  "Must declare SMTPUTF8 to send unicode address",
);

export function afterBdat(verb: string): Reply {
  return reply(503, "5.5.1", `Error: ${verb} after BDAT`);
}
