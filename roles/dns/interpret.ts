/** From a name server's message to the answer of the protocol: what was asked, nothing else, and bounded. */

import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import { withoutControls } from "../../shared/log/printable.ts";
import type { DnsAnswer, RecordType } from "../../shared/protocols/dns.ts";
import { canonical, isName, isTarget, type Message, type ResourceRecord } from "./packet.ts";

/** An alias of an alias of an alias, in one message or over several: beyond this it is a loop. */
const MAX_ALIASES = 10;
/** Records of one answer that are handed on, the best; a site that lists more can do without the rest. */
const MAX_RECORDS = 100;
const MAX_DATA = 4000;
const MAX_TEXT = 500;

/** The name to ask for now, and what the aliases that led to it add to the answer. */
export interface Step {
  readonly name: string;
  readonly aliases: number;
  /** Seconds. */
  readonly ttl: number;
  readonly secure: boolean;
}

/** The first step to the records of a name. */
export function firstStep(name: string): Step {
  return { name: canonical(name), aliases: 0, ttl: Infinity, secure: true };
}

/**
 * What a message says whose question, `step.name`, has been checked; `code` is 0 or 3. The next step when it ends with an
 * alias (RFC 1034 3.6.2), undefined when it says nothing: a referral, or the empty word of a server that does not know.
 */
export function interpret(
  message: Message,
  step: Step,
  type: RecordType,
): DnsAnswer | Step | undefined {
  let { name, aliases, ttl } = step;
  const secure = step.secure && message.secure;
  for (;; aliases++) {
    const found = message.answers.filter((each) => each.name === name && each.type === type);
    if (found.length) return positive(found, type, ttl, secure);
    const alias = message.answers.find((each) => each.name === name && each.type === "CNAME");
    if (!alias) break;
    if (aliases >= MAX_ALIASES) return failure("too many aliases");
    ttl = Math.min(ttl, alias.ttl);
    name = canonical(String(alias.data));
    if (!isName(name)) return failure("malformed alias");
  }
  const holds = negativeTtl(message);
  if (message.code === 0 && holds === undefined) {
    if (aliases > step.aliases) return { name, aliases, ttl, secure };
    if (!message.competent) return undefined;
  }
  const status = message.code === 3 ? "nxdomain" : "none";
  return {
    status,
    text: status === "none" ? "no data of this type" : "no such name",
    records: [],
    secure,
    ttl: Math.min(ttl, holds ?? 0),
  };
}

/** No usable answer: try again later. */
export function failure(text: string): DnsAnswer {
  const clean = withoutControls(text.slice(0, MAX_TEXT));
  return { status: "fail", text: clean, records: [], secure: false, ttl: 0 };
}

/** The same for a reason of our own, which says nothing about the name. */
export function ownFailure(text: string): DnsAnswer {
  return { ...failure(text), own: true };
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
    records.push(record);
  }
  if (!records.length) return failure("malformed records");
  // Those of MX and SRV come in any order; of the others, whose preference is 0, the first stay.
  const best = records.sort((a, b) => a.preference - b.preference).slice(0, MAX_RECORDS);
  return { status: "ok", text: "", records: best, secure, ttl };
}

/** How long "there is none" holds: the SOA's word (RFC 2308 5), undefined without one. */
function negativeTtl(message: Message): number | undefined {
  const soa = message.authorities.find((each) => each.type === "SOA");
  if (!soa) return undefined;
  const minimum = Number(soa.data?.minimum);
  return Number.isInteger(minimum) ? Math.min(soa.ttl, minimum) : 0;
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
