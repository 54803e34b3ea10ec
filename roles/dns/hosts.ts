/** The hosts file as the supervisor read it: asked before any name server (hosts(5)). */

import { isIP } from "node:net";
import type { DnsAnswer, RecordType } from "../../shared/protocols/dns.ts";
import { canonical, isTarget } from "./packet.ts";

/** Addresses of one name that are kept. */
const MAX_ADDRESSES = 100;
/** RFC 6761 6.3: this name never leaves the host. */
const LOCALHOST = "localhost";

export class Hosts {
  #addresses = new Map<string, string[]>();
  #names = new Map<string, string>();

  constructor(text: string) {
    for (const line of text.split("\n")) {
      const [address = "", ...names] = line.replace(/#.*/s, "").trim().split(/\s+/);
      if (!isIP(address)) continue;
      const hosts = names.map(canonical).filter(isTarget);
      if (hosts[0] && !this.#names.has(address)) this.#names.set(address, hosts[0]);
      for (const host of hosts) this.#add(host, address);
    }
    if (!this.#addresses.has(LOCALHOST)) this.#addresses.set(LOCALHOST, ["127.0.0.1", "::1"]);
  }

  /** Undefined when the file does not say; for PTR `name` is an address. */
  answer(name: string, type: RecordType): DnsAnswer | undefined {
    if (type === "PTR") {
      const host = this.#names.get(name);
      return host === undefined ? undefined : made([host]);
    }
    if (type !== "A" && type !== "AAAA") return undefined;
    const host = canonical(name), family = type === "A" ? 4 : 6;
    const addresses = (this.#addresses.get(host) ?? []).filter((each) => isIP(each) === family);
    // An address of one family does not say that there is none of the other.
    return addresses.length || host === LOCALHOST ? made(addresses) : undefined;
  }

  #add(host: string, address: string): void {
    const known = this.#addresses.get(host);
    if (!known) this.#addresses.set(host, [address]);
    else if (known.length < MAX_ADDRESSES && !known.includes(address)) known.push(address);
  }
}

function made(data: readonly string[]): DnsAnswer {
  return {
    status: data.length ? "ok" : "none",
    text: data.length ? "" : "no data of this type",
    records: data.map((each) => ({ data: each, preference: 0 })),
    secure: false,
    ttl: 60,
  };
}
