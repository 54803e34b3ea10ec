/** Recipients from a message's header, for sendmail -t. */

import { startsField } from "../../shared/mail/header.ts";
import { addressList } from "../../shared/maildrop/address_list.ts";

/** A header longer than this has no place for recipients that anybody needs. */
export const MAX_HEADER_BYTES = 4 * 1024 * 1024;

const RECIPIENT_HEADER = /^(resent-)?(?:to|cc|bcc)[ \t]*:/i;

/**
 * Takes the lines of the header one by one; the addresses of To, Cc and Bcc, or of their Resent- forms if the message has
 * any of these, are its recipients. Resent-From alone names nobody, and stands in mail that was resent before.
 */
export class HeaderRecipients {
  #plain: string[] = [];
  #resent: string[] = [];
  #isResent = false;
  #field = "";

  /** A line without its CRLF; false when the header is over. */
  take(line: string): boolean {
    if (/^[ \t]/.test(line)) {
      if (this.#field) this.#field += "\n" + line;
      return true;
    }
    this.#endField();
    if (!startsField(line)) return false;
    if (RECIPIENT_HEADER.test(line)) this.#field = line;
    return true;
  }

  /** All that were found, each once. */
  get addresses(): string[] {
    this.#endField();
    return [...new Set(this.#isResent ? this.#resent : this.#plain)];
  }

  #endField(): void {
    const field = this.#field;
    this.#field = "";
    const match = RECIPIENT_HEADER.exec(field);
    if (!match) return;
    if (match[1]) this.#isResent = true;
    const into = match[1] ? this.#resent : this.#plain;
    for (const address of addressList(field.slice(match[0].length))) into.push(address);
  }
}
