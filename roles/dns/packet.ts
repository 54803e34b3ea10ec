/** DNS messages (RFC 1035, EDNS0 of RFC 6891): the questions that we ask, and what is believed of an answer. */

import { Buffer } from "node:buffer";
import packet from "dns-packet";
import { PeerError, reason } from "../../shared/errors.ts";
import { parseAddress } from "../../shared/net/network.ts";
import type { RecordType } from "../../shared/protocols/dns.ts";
import { lowerCase } from "../../shared/smtp/keyword.ts";

/** Larger answers come by TCP: what fits without fragments on every path. */
const UDP_PAYLOAD_BYTES = 1232;
/** Records of one section that are looked at. */
const MAX_SECTION = 2000;
const FORMAT_ERROR = 1, NOT_IMPLEMENTED = 4;

/** One record, as far as it matters here; `data` is what dns-packet makes of its type. */
export interface ResourceRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  // deno-lint-ignore no-explicit-any
  readonly data: any;
}

export interface Message {
  readonly id: number;
  readonly isResponse: boolean;
  readonly truncated: boolean;
  readonly secure: boolean;
  /** From a server that knows the zone, or asks for us (the AA or RA bit): only such a one knows what there is not. */
  readonly competent: boolean;
  /** 0 no error, 1 format error, 2 server failure, 3 no such name, 4 not implemented, 5 refused ... */
  readonly code: number;
  readonly question: { readonly name: string; readonly type: string } | undefined;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
}

/** The bytes of a question. The AD bit asks for the resolver's word on DNSSEC (RFC 6840 5.7). */
export function encodeQuestion(
  id: number,
  name: string,
  type: RecordType,
  edns: boolean,
): Uint8Array {
  return packet.encode({
    type: "query",
    id,
    flags: packet.RECURSION_DESIRED | packet.AUTHENTIC_DATA,
    questions: [{ name, type, class: "IN" }],
    additionals: edns
      ? [{ type: "OPT", name: ".", udpPayloadSize: UDP_PAYLOAD_BYTES, flags: 0, options: [] }]
      : [],
  });
}

/** True for the answer of a server that did not understand: most likely it does not know EDNS0 (RFC 6891 7). */
export function isNotUnderstood({ code }: Message): boolean {
  return code === FORMAT_ERROR || code === NOT_IMPLEMENTED;
}

/** An answer taken apart; throws PeerError when it is malformed. */
export function decodeMessage(bytes: Uint8Array): Message {
  try {
    const made = packet.decode(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    );
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const [question] = made.questions;
    return {
      id: made.id,
      isResponse: made.type === "response",
      truncated: made.flag_tc,
      secure: made.flag_ad,
      competent: made.flag_aa || made.flag_ra,
      code: view.getUint8(3) & 0x0f,
      question: made.questions.length === 1
        ? { name: canonical(question.name), type: question.type }
        : undefined,
      answers: records(made.answers),
      authorities: records(made.authorities),
    };
  } catch (error) {
    throw new PeerError(`malformed answer: ${reason(error)}`);
  }
}

function records(found: readonly ResourceRecord[]): ResourceRecord[] {
  return found.slice(0, MAX_SECTION).map((each) => ({ ...each, name: canonical(each.name) }));
}

/** Lower case, of ASCII alone (RFC 4343), no dot at the end; the root is empty. */
export function canonical(name: string): string {
  return lowerCase(name.endsWith(".") ? name.slice(0, -1) : name);
}

/** A name that can be asked for: labels of 1 to 63 bytes, 253 in all (RFC 1035 2.3.4). */
export function isName(name: string): boolean {
  return name.length <= 253 && /^[!-~]+$/.test(name) &&
    name.split(".").every((label) => label.length > 0 && label.length <= 63);
}

/**
 * A name that mail may be sent to; anything else in an answer is dropped. Looser than isHostname() of shared/net, which
 * judges what people write: sites do publish numbers and labels that end with a hyphen, and their mail arrives.
 */
export function isTarget(name: string): boolean {
  return isName(name) && /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/.test(name);
}

/** `4.3.2.1.in-addr.arpa` of an address; undefined when it is none. */
export function reverseName(address: string): string | undefined {
  const bytes = parseAddress(address);
  if (!bytes) return undefined;
  if (bytes.length === 4) return `${bytes.toReversed().join(".")}.in-addr.arpa`;
  const nibbles = bytes.flatMap((byte) => [byte >> 4, byte & 15]).reverse();
  return `${nibbles.map((each) => each.toString(16)).join(".")}.ip6.arpa`;
}

/** Labels of a reverse zone: 16 bits of an IPv4 address, 32 of an IPv6 one. */
const REVERSE_LABELS = { "in-addr.arpa": 4, "ip6.arpa": 10 } as const;

/** About the zone that a name is in, as far as a name tells: those under it are likely to have the same servers. */
export function zoneOf(name: string): string {
  const labels = name.split("."), top = labels.slice(-2).join(".");
  const reverse = top === "in-addr.arpa" || top === "ip6.arpa" ? REVERSE_LABELS[top] : 0;
  return reverse ? labels.slice(-reverse).join(".") : top;
}
