/** What every server here says, to the network and to `sendmail -bs`, and cleanup through them (reference 3.3). */

import { reply } from "./reply.ts";

/** What EHLO says of the largest message (RFC 1870 4); `limit` in bytes. */
export function sizeExtension(limit: number): string {
  return limit === Infinity ? "SIZE" : `SIZE ${limit}`;
}

export const OK = reply(250, "2.0.0", "Ok");
export const BYE = reply(221, "2.0.0", "Bye");
export const MAIL_OK = reply(250, "2.1.0", "Ok");
export const RCPT_OK = reply(250, "2.1.5", "Ok");
export const GO_AHEAD = reply(354, "", "End data with <CR><LF>.<CR><LF>");
export const NOT_RECOGNIZED = reply(500, "5.5.2", "Error: command not recognized");
export const NESTED_MAIL = reply(503, "5.5.1", "Error: nested MAIL command");
export const NEED_MAIL = reply(503, "5.5.1", "Error: need MAIL command");
export const NEED_RCPT = reply(503, "5.5.1", "Error: need RCPT command");
export const NO_RECIPIENTS = reply(554, "5.5.1", "Error: no valid recipients");
export const MAIL_SYNTAX = reply(501, "5.5.4", "Syntax: MAIL FROM:<address>");
export const RCPT_SYNTAX = reply(501, "5.5.4", "Syntax: RCPT TO:<address>");
export const BAD_SENDER = reply(501, "5.1.7", "Bad sender address syntax");
export const BAD_RECIPIENT = reply(501, "5.1.3", "Bad recipient address syntax");
export const TOO_MANY_RECIPIENTS = reply(452, "4.5.3", "Error: too many recipients");
export const TOO_BIG = reply(552, "5.3.4", "Message size exceeds fixed limit");
export const FILE_TOO_BIG = reply(552, "5.3.4", "Error: message file too big");
export const NO_SPACE = reply(452, "4.3.1", "Insufficient system storage");
/** A role of ours broke its contract. */
export const PROTOCOL_ERROR = reply(451, "4.3.0", "Error: internal protocol error");
export const WRITE_ERROR = reply(451, "4.3.0", "Error: queue file write error");
