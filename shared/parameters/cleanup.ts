/** Parameters of cleanup. */

import { bool, choice, int, list, text } from "./declare.ts";
import { addressing, identity } from "./global.ts";

/** What is looked at in headers, and what is done to them. */
const headers = {
  headerSizeLimit: int("header_size_limit", "102400", {
    min: 1,
    doc:
      "The longest header whose addresses are rewritten, in bytes; a longer one passes as it is.",
  }),
  headerAddressTokenLimit: int("header_address_token_limit", "10240", {
    min: 1,
    doc: "How many words and signs of an address header are looked at; the rest passes as it is.",
  }),
  hopcountLimit: int("hopcount_limit", "50", {
    min: 1,
    doc: "A message with so many Received headers, our own among them, is in a loop.",
  }),
  messageDropHeaders: list(
    "message_drop_headers",
    "bcc, content-length, resent-bcc, return-path",
    { doc: "Headers that are taken out of every message." },
  ),
  alwaysAddMissingHeaders: bool("always_add_missing_headers", "no", {
    doc: "Add missing Date, Message-Id and From headers to remote mail, too.",
  }),
  headerFromFormat: choice("header_from_format", "standard", ["standard", "obsolete"], {
    doc: "How an added From header is written: name <address>, or address (name).",
  }),
  undisclosedRecipientsHeader: text("undisclosed_recipients_header", "", {
    doc: "The header that is added where no header names a recipient; empty adds none.",
  }),
  remoteHeaderRewriteDomain: text("remote_header_rewrite_domain", "", {
    doc: "The domain that completes header addresses of remote mail; empty leaves them alone.",
  }),
  detect8bitEncodingHeader: bool("detect_8bit_encoding_header", "yes", {
    doc: "Take a message for 8-bit when its Content-Transfer-Encoding header says so.",
  }),
};

/** What is done to the envelope. */
const envelope = {
  emptyAddressRecipient: text("empty_address_recipient", "MAILER-DAEMON", {
    doc: "Who gets mail that is addressed to nobody.",
  }),
  virtualAliasRecursionLimit: int("virtual_alias_recursion_limit", "1000", {
    min: 1,
    doc: "How many virtual aliases may lead one to the next.",
  }),
  virtualAliasExpansionLimit: int("virtual_alias_expansion_limit", "1000", {
    min: 1,
    doc: "How many addresses one recipient may become.",
  }),
  virtualAliasAddressLengthLimit: int("virtual_alias_address_length_limit", "1000", {
    min: 1,
    doc: "The longest address that a virtual alias may give.",
  }),
};

export const cleanupParameters = {
  ...identity,
  virtualAliasMaps: addressing.virtualAliasMaps,
  ...headers,
  ...envelope,
};
