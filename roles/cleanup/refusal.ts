/** What a submitter hears when its message is not taken (reference 5.4). Local trouble is 4xx, always. */

import { Refusal, refusalOf } from "../../shared/smtp/refusal.ts";
import * as replies from "../../shared/smtp/standard_replies.ts";

export const TOO_MANY_HOPS = new Refusal(554, "5.4.0", "Error: too many hops");
/** As for a message that is too big (RFC 3463 3.4): to send it again is of no use. */
export const HEADER_TOO_BIG = new Refusal(552, "5.3.4", "Error: message header too big");
export const NO_RECIPIENTS = new Refusal(550, "5.1.0", "Error: no recipients specified");
export const ALIAS_ERROR = new Refusal(451, "4.6.0", "Alias expansion error");
export const WRITE_ERROR = refusalOf(replies.WRITE_ERROR);
export const NO_SPACE = refusalOf(replies.NO_SPACE);
/** Said alike, but of this message alone: messages hold too much together. */
export const CROWDED = refusalOf(replies.NO_SPACE);
export const PROTOCOL_ERROR = refusalOf(replies.PROTOCOL_ERROR);
