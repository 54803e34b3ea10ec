/** The headers that a message must have and local mail may lack (RFC 5322 3.6; reference 5.4). */

import { byteText, utf8Bytes } from "../../shared/bytes.ts";
import { external } from "../../shared/mail/address.ts";
import { mailDate } from "../../shared/mail/date.ts";
import type { Envelope } from "../../shared/mail/envelope.ts";

/** What an added header is made of. */
export interface Origin {
  readonly envelope: Envelope;
  /** The rewritten sender, never empty; internal form. */
  readonly author: string;
  readonly fullName: string;
  readonly myhostname: string;
  readonly format: "standard" | "obsolete";
}

/** The Message-Id of a message that came without one: its queue id is unique for ever. */
export function newMessageId({ envelope, myhostname }: Origin): string {
  return `<${envelope.queueId}@${myhostname}>`;
}

/** The header lines for those of Message-Id, Date and From that `has` does not know; text of one char a byte. */
export function missingHeaders(
  has: (name: string) => boolean,
  resent: boolean,
  origin: Origin,
): string {
  const prefix = resent ? "Resent-" : "";
  const lines: string[] = [];
  const add = (name: string, value: () => string) => {
    if (!has((prefix + name).toLowerCase())) lines.push(`${prefix}${name}: ${value()}\r\n`);
  };
  add("Message-Id", () => newMessageId(origin));
  add("Date", () => mailDate(origin.envelope.arrived));
  add("From", () => from(origin));
  return byteText(utf8Bytes(lines.join("")));
}

/** `Name <address>`, or `address (Name)`. */
function from({ author, fullName, format }: Origin): string {
  const address = external(author), name = fullName.trim();
  if (!name) return address;
  if (!ASCII.test(name)) {
    return format === "standard"
      ? `${encodedWords(name)} <${address}>`
      : `${address} (${encodedWords(name)})`;
  }
  if (format === "obsolete") return `${address} (${name.replace(/[()\\]/g, "\\$&")})`;
  return PHRASE.test(name)
    ? `${name} <${address}>`
    : `"${name.replace(/["\\]/g, "\\$&")}" <${address}>`;
}

const ASCII = /^[ -~]*$/;
/** Words of atoms (RFC 5322 3.2.5). */
const PHRASE = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+$/;
/** An encoded word is at most 75 characters (RFC 2047 2): 45 bytes make 60 of base 64. */
const WORD_BYTES = 45;

/** Text beyond ASCII as encoded words (RFC 2047), cut between characters. */
function encodedWords(text: string): string {
  const words: string[] = [];
  let word = "", size = 0;
  for (const char of text) {
    const bytes = new TextEncoder().encode(char).length;
    if (size + bytes > WORD_BYTES) {
      words.push(word);
      word = "";
      size = 0;
    }
    word += char;
    size += bytes;
  }
  words.push(word);
  return words.map((each) => `=?utf-8?B?${btoa(byteText(utf8Bytes(each)))}?=`).join(
    " ",
  );
}
