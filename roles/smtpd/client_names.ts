/** Names of clients: the PTR record, believed only if the name leads back to the address (reference 9.3). */

import { info, warning } from "../../shared/log/log.ts";
import { isHostname } from "../../shared/net/hostname.ts";
import { plainAddress } from "../../shared/net/network.ts";
import type { DnsAnswer, RecordType } from "../../shared/protocols/dns.ts";
import type { Clock, Maybe } from "./services.ts";

/** A client is never kept waiting for its name longer than this: then it is unknown. */
const MAX_WAIT_SECONDS = 10;
/** Names are kept as long as DNS allows, but not longer than this. */
const MAX_TTL_SECONDS = 3600;
/** `unknown` is kept for a short time only: a name server that is slow now may not be later. */
const UNKNOWN_TTL_SECONDS = 60;
/** The most addresses remembered: a botnet must not fill memory. */
const MAX_NAMES = 10_000;
const UNKNOWN = "unknown";

type Query = (name: string, type: RecordType) => Promise<DnsAnswer>;

interface Known {
  readonly name: string;
  readonly until: number;
}

export class ClientNames {
  #known = new Map<string, Known>();
  #asking = new Map<string, Promise<string>>();

  constructor(readonly query: Query, readonly clock: Pick<Clock, "steady">) {}

  /** The name, at once when it is known; never throws. */
  lookup(address: string): Maybe<string> {
    const known = this.#known.get(address);
    if (known && known.until > this.clock.steady()) return known.name;
    const asking = this.#asking.get(address);
    if (asking) return asking;
    const asked = this.#ask(address).finally(() => this.#asking.delete(address));
    this.#asking.set(address, asked);
    return asked;
  }

  async #ask(address: string): Promise<string> {
    let late: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<Found>((resolve) => {
      late = setTimeout(() => resolve({ name: UNKNOWN, ttl: 0 }), MAX_WAIT_SECONDS * 1000);
    });
    const found = this.#resolve(address).catch(() => ({ name: UNKNOWN, ttl: 0 }));
    const { name, ttl } = await Promise.race([found, tooLate]);
    clearTimeout(late);
    if (this.#known.size >= MAX_NAMES) this.#known.delete(this.#known.keys().next().value!);
    const seconds = Math.min(MAX_TTL_SECONDS, Math.max(UNKNOWN_TTL_SECONDS, ttl));
    this.#known.set(address, { name, until: this.clock.steady() + seconds * 1000 });
    return name;
  }

  async #resolve(address: string): Promise<Found> {
    const pointer = await this.query(address, "PTR");
    const name = pointer.records[0]?.data.replace(/\.$/, "") ?? "";
    if (pointer.status !== "ok") return { name: UNKNOWN, ttl: 0 };
    if (!isHostname(name)) {
      info(`malformed host name of address ${address}: ${name}`);
      return { name: UNKNOWN, ttl: 0 };
    }
    const forward = await this.query(name, address.includes(":") ? "AAAA" : "A");
    if (forward.records.some(({ data }) => plainAddress(data) === address)) {
      return { name, ttl: Math.min(pointer.ttl, forward.ttl) };
    }
    const why = forward.status === "ok" ? "" : `: ${forward.text || "no such name"}`;
    warning(`hostname ${name} does not resolve to address ${address}${why}`);
    return { name: UNKNOWN, ttl: 0 };
  }
}

interface Found {
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
}
