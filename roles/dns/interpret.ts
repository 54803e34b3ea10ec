/** From a name server's message to the answer of the protocol: what was asked, nothing else, and bounded. */

import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import { withoutControls } from "../../shared/log/printable.ts";
import type { DnsAnswer, RecordType } from "../../shared/protocols/dns.ts";
import { canonical, isTarget, type Message, type ResourceRecord } from "./packet.ts";

/** An alias of an alias of an alias: beyond this it is a loop. */
const MAX_ALIASES = 10;
/** Records of one answer that are handed on; a site that lists more can do without the rest. */
const MAX_RECORDS = 100;
const MAX_DATA = 4000;
const MAX_TEXT = 500;

/** The answer in a message whose question has been checked. `code` is 0 or 3. */
export function interpret(message: Message, name: string, type: RecordType): DnsAnswer {
  let owner = canonical(name), ttl = Infinity;
  for (let aliases = 0;; aliases++) {
    const found = message.answers.filter((each) => each.name === owner && each.type === type);
    if (found.length) return positive(found, type, ttl, message.secure);
    const alias = message.answers.find((each) => each.name === owner && each.type === "CNAME");
    if (!alias) break;
    if (aliases >= MAX_ALIASES) return failure("too many aliases");
    ttl = Math.min(ttl, alias.ttl);
    owner = canonical(String(alias.data));
  }
  const status = message.code === 3 ? "nxdomain" : "none";
  return {
    status,
    text: status === "none" ? "no data of this type" : "no such name",
    records: [],
    secure: message.secure,
    ttl: Math.min(ttl, negativeTtl(message)),
  };
}

/** No usable answer: try again later. */
export function failure(text: string): DnsAnswer {
  const clean = withoutControls(text.slice(0, MAX_TEXT));
  return { status: "fail", text: clean, records: [], secure: false, ttl: 0 };
}

function positive(
  found: readonly ResourceRecord[],
  type: RecordType,
  aliasTtl: number,
  secure: boolean,
): DnsAnswer {
  const records: DnsAnswer["records"] = [];
  let ttl = aliasTtl;
  for (const each of found) {
    const record = usable(type, each.data);
    if (!record) continue;
    ttl = Math.min(ttl, each.ttl);
    if (records.length < MAX_RECORDS) records.push(record);
  }
  if (!records.length) return failure("malformed records");
  return { status: "ok", text: "", records, secure, ttl };
}

/** How long "there is none" holds: the SOA's word (RFC 2308 5); without one it is not remembered. */
function negativeTtl(message: Message): number {
  const soa = message.authorities.find((each) => each.type === "SOA");
  const minimum = Number(soa?.data?.minimum);
  return soa && Number.isInteger(minimum) ? Math.min(soa.ttl, minimum) : 0;
}

/** A record's data as text, or undefined when it is not fit for use. */
// deno-lint-ignore no-explicit-any
function usable(type: RecordType, data: any): { data: string; preference: number } | undefined {
  switch (type) {
    case "A":
      return isIP(data) === 4 ? { data, preference: 0 } : undefined;
    case "AAAA":
      return isIP(data) === 6 ? { data, preference: 0 } : undefined;
    case "MX": {
      const host = canonical(String(data?.exchange));
      // The root alone is a null MX (RFC 7505).
      return host === "" || isTarget(host)
        ? { data: host, preference: data.preference }
        : undefined;
    }
    case "PTR": {
      const host = canonical(String(data));
      return isTarget(host) ? { data: host, preference: 0 } : undefined;
    }
    case "TXT": {
      const parts: Uint8Array[] = Array.isArray(data) ? data : [data];
      const text = Buffer.concat(parts.map((part) => Buffer.from(part))).toString("utf8");
      return { data: withoutControls(text.slice(0, MAX_DATA)), preference: 0 };
    }
    case "SRV": {
      const host = canonical(String(data?.target));
      if (host !== "" && !isTarget(host)) return undefined;
      return { data: `${data.weight} ${data.port} ${host || "."}`, preference: data.priority };
    }
    case "TLSA": {
      const hex = Buffer.from(data.certificate).toString("hex");
      const text = `${data.usage} ${data.selector} ${data.matchingType} ${hex}`;
      return text.length <= MAX_DATA ? { data: text, preference: 0 } : undefined;
    }
  }
}
