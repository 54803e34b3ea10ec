/** dns: a stub resolver. Negative answers are told from failures. */

import { call, service } from "../ipc/declare.ts";
import { count, line, shape, type Static, Type } from "../ipc/schema.ts";

export const RecordType = Type.Enum(["A", "AAAA", "MX", "PTR", "TXT", "SRV", "TLSA"]);
export type RecordType = Static<typeof RecordType>;

export const DnsAnswer = shape({
  /** `none`: the name exists without such records. `fail`: no usable answer, try again later. */
  status: Type.Enum(["ok", "none", "nxdomain", "fail"]),
  /** With `fail`: for a reason of our own, not for anything that is wrong with the name or its servers. */
  own: Type.Optional(Type.Literal(true)),
  /** For people, when not ok. */
  text: line(500),
  /** `data`: address, host name or text; `preference` for MX, 0 otherwise. At most 100 (`MAX_RECORDS`). */
  records: Type.Array(shape({ data: line(4000), preference: count(65535) }), { maxItems: 100 }),
  /** The resolver vouches for DNSSEC (the AD bit). */
  secure: Type.Boolean(),
  /** Seconds. */
  ttl: count(),
});
export type DnsAnswer = Static<typeof DnsAnswer>;

export const dnsService = service("dns", {
  query: call({
    request: shape({
      /** For PTR the address itself, for others the domain; no trailing dot. */
      name: line(255),
      type: RecordType,
    }),
    reply: DnsAnswer,
    deadlineSeconds: 60,
    headerBytes: 512 * 1024,
  }),
});
