/** One mail transaction: from MAIL to the end of its content. It is replaced as a whole, never cleared field by field. */

import type { Envelope, Recipient } from "../../shared/mail/envelope.ts";
import type { Recipient as RecipientAnswer } from "../../shared/rewrite_cache.ts";
import type { Intake } from "./content.ts";

/**
 * Where a session is. Moves:
 *
 *   connected -> greeted            HELO, EHLO
 *   connected | greeted -> mail     MAIL (from connected only without `smtpd_helo_required`)
 *   mail -> rcpt                    RCPT that was accepted
 *   rcpt -> bdat                    BDAT that was not the last
 *   bdat -> discard                 an error in BDAT: chunks up to LAST are read and dropped
 *   any -> connected | greeted      the reset: RSET, HELO, EHLO, STARTTLS, the end of content whatever came of it
 */
export type Stage = "connected" | "greeted" | "mail" | "rcpt" | "bdat" | "discard";

export class Transaction {
  /** Internal form; undefined before MAIL. */
  sender: string | undefined;
  readonly recipients: Recipient[] = [];
  /** What rewrite said of the last of them; undefined for postmaster, of whom it is not asked. */
  resolved: RecipientAnswer | undefined;
  /** Given with the first recipient, or at MAIL without `smtpd_delay_open_until_valid_rcpt`. */
  queueId: string | undefined;
  /** Milliseconds since the epoch. */
  arrived = 0;
  smtputf8 = false;
  body: Envelope["body"] = "7bit";
  ret: Envelope["ret"] = "";
  envid = "";
  /** SIZE= of MAIL, or 0. */
  declaredSize = 0;
  /** Recipients refused because there are too many. */
  overshoot = 0;
  /** Content that BDAT has begun. */
  intake: Intake | undefined;

  /** The recipient as it was given, when there is one only. */
  get onlyRecipient(): string | undefined {
    const [only, second] = this.recipients;
    return second ? undefined : only?.original;
  }
}
