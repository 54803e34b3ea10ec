/** What is done to a header section: hops counted, headers dropped, completed and rewritten (reference 5.4). */

import { byteText, hasControl, textBytes, utf8Bytes, utf8Text } from "../../shared/bytes.ts";
import { parseEncoding } from "../../shared/mail/content_type.ts";
import { MAX_ADDRESS } from "../../shared/mail/envelope.ts";
import { type Field, FieldNames, fieldText, unfold } from "../../shared/mail/header.ts";
import { rewriteAddresses } from "../../shared/mail/header_address.ts";
import type { Values } from "../../shared/parameters/declare.ts";
import type { cleanupParameters } from "../../shared/parameters/cleanup.ts";
import { Edits } from "./header_edits.ts";
import type { Head } from "./header_section.ts";
import { missingHeaders, newMessageId, type Origin } from "./missing_headers.ts";

type Params = Values<typeof cleanupParameters>;

/** Headers whose addresses are rewritten (RFC 5322 3.6.2, 3.6.3, 3.6.6 and what mail programs add). */
const ADDRESS_HEADERS = [
  ...["from", "sender", "reply-to", "to", "cc", "bcc"].flatMap((name) => [name, `resent-${name}`]),
  "errors-to",
  "return-receipt-to",
  "disposition-notification-to",
  "mail-followup-to",
  "apparently-to",
];
/** Those that say to whom a message went; Bcc says it to nobody else. */
const RECIPIENT_HEADERS = ["to", "cc", "resent-to", "resent-cc"];
const LOOKED_AT = [
  "received",
  ...["message-id", "date", "from"].flatMap((name) => [name, `resent-${name}`]),
  "content-transfer-encoding",
];

/** What a header section says and becomes. */
export interface Treated {
  /** The pieces of the new section; undefined when nothing changed. */
  readonly header: readonly Uint8Array[] | undefined;
  /** For the log: with angle brackets, empty when there is none. */
  readonly messageId: string;
  readonly resentMessageId: string;
  readonly eightBit: boolean;
}

/** Asks for an address of a header in local or remote context. */
export type RewriteHeaderAddress = (address: string) => string | Promise<string>;

export class HeaderRules {
  /** What is looked for in remote mail, whose addresses stay as they are, and in local mail. */
  readonly remoteNames: FieldNames;
  readonly localNames: FieldNames;
  #dropped: Set<string>;

  constructor(readonly params: Params) {
    this.#dropped = new Set(params.messageDropHeaders.map((name) => name.toLowerCase()));
    const names = [...LOOKED_AT, ...this.#dropped];
    this.localNames = new FieldNames([...names, ...ADDRESS_HEADERS]);
    const complete = params.remoteHeaderRewriteDomain || params.undisclosedRecipientsHeader;
    this.remoteNames = complete ? this.localNames : new FieldNames(names);
  }

  /** How often this message has been received. */
  hops({ scanner }: Head): number {
    let hops = 0;
    for (const { name } of scanner.fields) if (name === "received") hops++;
    return hops;
  }

  /** `rewrite` is undefined where addresses stay as they are, `origin` where no header is added. */
  async treat(
    head: Head,
    rewrite: RewriteHeaderAddress | undefined,
    origin: Origin | undefined,
  ): Promise<Treated> {
    const { scanner, bytes } = head;
    const edits = new Edits(bytes);
    const seen = new Map<string, Field>();
    for (const field of scanner.fields) {
      const { name, start, nameEnd, valueStart, end } = field;
      if (this.#dropped.has(name)) {
        edits.replace(start, end, "");
        continue;
      }
      if (!seen.has(name)) seen.set(name, field);
      // "To : x" is not what every reader takes for To (RFC 5322 4.5): make it what it means.
      if (valueStart !== nameEnd + 1) edits.replace(nameEnd, valueStart, ":");
      if (rewrite && ADDRESS_NAMES.has(name) && end - start <= this.params.headerSizeLimit) {
        const value = byteText(bytes, valueStart, end);
        const rewritten = await rewriteAddresses(
          value,
          (address) => rewriteBytes(address, rewrite),
          this.params.headerAddressTokenLimit,
        );
        if (rewritten !== value) edits.replace(valueStart, end, rewritten);
      }
    }
    const added = this.#added(head, seen, origin);
    if (added) edits.replace(scanner.end, scanner.end, added);
    return {
      header: edits.finish(scanner.end),
      ...messageIds(bytes, seen, scanner.resent, origin),
      eightBit: this.params.detect8bitEncodingHeader && isEightBit(bytes, seen),
    };
  }

  /** What belongs between the last header and the body. */
  #added({ scanner }: Head, seen: Map<string, Field>, origin: Origin | undefined): string {
    let added = origin ? missingHeaders((name) => seen.has(name), scanner.resent, origin) : "";
    const { undisclosedRecipientsHeader: undisclosed } = this.params;
    if (undisclosed && !RECIPIENT_HEADERS.some((name) => seen.has(name))) {
      added += byteText(utf8Bytes(`${undisclosed}\r\n`));
    }
    return scanner.ending === "text" ? `${added}\r\n` : added;
  }
}

const ADDRESS_NAMES = new Set(ADDRESS_HEADERS);

/** An address in text of one char a byte, rewritten as the text that it means; what is no text stays as it is. */
function rewriteBytes(address: string, rewrite: RewriteHeaderAddress): string | Promise<string> {
  if (address.length > MAX_ADDRESS || hasControl(address)) return address;
  let text: string;
  try {
    text = ASCII.test(address) ? address : utf8Text(textBytes(address));
  } catch {
    return address;
  }
  const back = (rewritten: string) =>
    ASCII.test(rewritten) ? rewritten : byteText(utf8Bytes(rewritten));
  const rewritten = rewrite(text);
  return typeof rewritten === "string" ? back(rewritten) : rewritten.then(back);
}

const ASCII = /^[ -~]*$/;
/** More of a message id is not logged. */
const MAX_LOGGED_ID_BYTES = 1000;

function messageIds(
  bytes: Uint8Array,
  seen: Map<string, Field>,
  resent: boolean,
  origin: Origin | undefined,
): { messageId: string; resentMessageId: string } {
  const text = (name: string) => {
    const field = seen.get(name);
    if (!field) return undefined;
    const end = Math.min(field.end, field.valueStart + MAX_LOGGED_ID_BYTES);
    const id = unfold(fieldText(bytes, { ...field, end }));
    return ASCII.test(id) ? id : new TextDecoder().decode(textBytes(id));
  };
  const made = origin ? newMessageId(origin) : "";
  return {
    messageId: text("message-id") ?? (resent ? "" : made),
    resentMessageId: text("resent-message-id") ?? (resent ? made : ""),
  };
}

function isEightBit(bytes: Uint8Array, seen: Map<string, Field>): boolean {
  const field = seen.get("content-transfer-encoding");
  return field !== undefined && parseEncoding(fieldText(bytes, field)) === "8bit";
}
