/** From a destination to the servers to try, best first (RFC 5321 5.1, RFC 7505). */

import { isIP } from "node:net";
import { plainAddress } from "../../shared/net/network.ts";
import { ownAddresses } from "../../shared/parameters/own_addresses.ts";
import type { SmtpSettings } from "../../shared/parameters/smtp.ts";
import type { DnsAnswer, RecordType } from "../../shared/protocols/dns.ts";
import { lowerCase } from "../../shared/smtp/keyword.ts";
import { inetServer, type Server, unixServer } from "./connect.ts";
import type { Destination } from "../../shared/net/nexthop.ts";
import { isSoft, loopTrouble, type Trouble } from "./trouble.ts";

/** Asks the dns role; an answer that cannot be had is `fail`. */
export type Ask = (name: string, type: RecordType) => Promise<DnsAnswer>;

/** More mail exchangers of one domain are not looked at: their ranks are all smaller. */
export const MAX_MX_HOSTS = 50;
/** Exchangers of one preference that are looked up at once: a domain may list many, and slow ones. */
const HOSTS_AT_ONCE = 5;

interface Exchanger {
  readonly host: string;
  readonly preference: number;
}

/** A reason not to go there, thrown inside this module only. */
class NoWay extends Error {
  constructor(readonly trouble: Trouble) {
    super(trouble.text);
  }
}

export class Lookup {
  /** The addresses and the names under which we receive mail. */
  #own: ReadonlySet<string>;
  #types: readonly ("A" | "AAAA")[];

  constructor(
    readonly settings: SmtpSettings,
    readonly ask: Ask,
    readonly random: () => number = Math.random,
  ) {
    const names = [settings.myhostname, ...settings.proxyInterfaces].map(lowerCase);
    this.#own = new Set([...ownAddresses(settings), ...names]);
    const protocols = settings.inetProtocols;
    const all = protocols.includes("all");
    this.#types = [
      ...(all || protocols.includes("ipv4") ? ["A" as const] : []),
      ...(all || protocols.includes("ipv6") ? ["AAAA" as const] : []),
    ];
  }

  /** The servers of a destination, from one up to smtp_mx_address_limit, or why there is none. */
  async servers(destination: Destination): Promise<Server[] | Trouble> {
    const { myhostname, queueDirectory } = this.settings;
    if (destination.path) return [unixServer(myhostname, queueDirectory, destination.path)];
    try {
      return await this.#servers(destination);
    } catch (error) {
      if (error instanceof NoWay) return error.trouble;
      throw error;
    }
  }

  /** True when this host is an exchanger of a destination, the best or not: what is sent elsewhere instead comes back. */
  async listsUs(destination: Destination): Promise<boolean> {
    const isSelf = this.#selfTest(destination);
    if (!isSelf) return false;
    try {
      const exchangers = await this.#exchangers(destination);
      if (exchangers.some(({ host }) => isSelf(host))) return true;
      const [found] = await this.#addressesOf(exchangers, destination.port, Infinity);
      return found.some(({ address }) => isSelf(address));
    } catch (error) {
      if (error instanceof NoWay) return false;
      throw error;
    }
  }

  async #servers(destination: Destination): Promise<Server[]> {
    const { host, port } = destination;
    const exchangers = await this.#exchangers(destination);
    const isSelf = this.#selfTest(destination) ?? (() => false);
    // Our name is ours whether or not DNS knows an address of it.
    let self = exchangers.find((each) => isSelf(each.host));
    const servers: Server[] = [];
    let missing: Trouble | undefined;
    for (const [rank, level] of byPreference(exchangers).entries()) {
      const { preference } = level[0]!;
      if (self && self.preference <= preference) break;
      const wanted = this.settings.mxAddressLimit - servers.length;
      const [found, trouble] = await this.#addressesOf(level, port, wanted);
      if (trouble && (!missing || isSoft(trouble))) missing = trouble;
      if (found.some(({ address }) => isSelf(address))) self = level[0]!;
      else servers.push(...this.#arranged(found.map((each) => ({ ...each, rank }))));
      if (servers.length >= this.settings.mxAddressLimit) break;
    }
    if (servers.length) return this.#limited(servers);
    throw self
      ? nobodyBetter(host, self.preference > exchangers[0]!.preference)
      : this.#nobody(missing!, exchangers);
  }

  async #exchangers({ host, mx }: Destination): Promise<Exchanger[]> {
    if (mx && !this.settings.disableDnsLookups) return await this.#exchangersOf(host);
    return [{ host, preference: 0 }];
  }

  /** The mail exchangers of a domain; the domain itself when it has none. */
  async #exchangersOf(domain: string): Promise<Exchanger[]> {
    const answer = await this.ask(domain, "MX");
    if (answer.status === "none") return [{ host: domain, preference: 0 }];
    if (answer.status === "fail" && this.settings.ignoreMxLookupError) {
      return [{ host: domain, preference: 0 }];
    }
    if (answer.status !== "ok") throw new NoWay(nameError(domain, "MX", answer));
    const records = answer.records.map((each) => ({
      host: each.data.replace(/\.$/, "").toLowerCase(),
      preference: each.preference,
    }));
    if (records.every((each) => each.host === "")) {
      throw new NoWay({
        dsn: "5.1.0",
        text: `Domain ${domain} does not accept mail (nullMX)`,
        relay: "none",
        site: false,
        final: true,
      });
    }
    return records.filter((each) => each.host).sort((a, b) => a.preference - b.preference)
      .slice(0, MAX_MX_HOSTS);
  }

  /** Addresses of exchangers of one preference, maybe some more than wanted, and what kept others from having one. */
  async #addressesOf(
    level: Exchanger[],
    port: number,
    wanted: number,
  ): Promise<[Server[], Trouble | undefined]> {
    const found: Server[] = [];
    let missing: Trouble | undefined;
    // All of them have their share of the mail, though only a few are looked up.
    if (level.length > HOSTS_AT_ONCE && this.settings.randomizeAddresses) {
      shuffle(level, this.random);
    }
    for (let at = 0; at < level.length && found.length < wanted; at += HOSTS_AT_ONCE) {
      const some = level.slice(at, at + HOSTS_AT_ONCE);
      for (const answer of await Promise.all(some.map(({ host }) => this.#addresses(host, port)))) {
        if (Array.isArray(answer)) found.push(...answer);
        // An exchanger that may exist is a reason to wait, one that does not is none.
        else if (!missing || isSoft(answer)) missing = answer;
      }
    }
    return [found, missing];
  }

  async #addresses(host: string, port: number): Promise<Server[] | Trouble> {
    if (isIP(host)) return [inetServer(host, host, port)];
    const answers = await Promise.all(this.#types.map((type) => this.ask(host, type)));
    const servers = answers.flatMap((answer) =>
      answer.records.filter((each) => isIP(each.data)).map((each) =>
        inetServer(host, each.data, port)
      )
    );
    if (servers.length) return servers;
    const failed = answers.findIndex((answer) => answer.status === "fail");
    const at = failed < 0 ? answers.length - 1 : failed;
    return nameError(host, this.#types[at]!, answers[at]!);
  }

  #nobody(missing: Trouble, exchangers: readonly Exchanger[]): NoWay {
    const soft = this.settings.deferIfNoMxAddressFound && exchangers.length > 0;
    return new NoWay(soft ? { ...missing, dsn: missing.dsn.replace(/^5/, "4") } : missing);
  }

  /** Servers of one preference in the order in which to try them. */
  #arranged(servers: Server[]): Server[] {
    if (this.settings.randomizeAddresses) shuffle(servers, this.random);
    const first = this.settings.addressPreference;
    if (first === "any") return servers;
    const family = first === "ipv6" ? 6 : 4;
    return servers.sort((a, b) =>
      Number(isIP(b.address) === family) - Number(isIP(a.address) === family)
    );
  }

  /** As many as may be tried; where one IP version would fill the list, the best of the other has the last place. */
  #limited(servers: Server[]): Server[] {
    const { mxAddressLimit, balanceInetProtocols } = this.settings;
    const cut = servers.slice(0, mxAddressLimit);
    if (!balanceInetProtocols || cut.length < 2) return cut;
    const family = isIP(cut[0]!.address);
    if (cut.some(({ address }) => isIP(address) !== family)) return cut;
    const other = servers.find(({ address }) => isIP(address) !== family);
    return other ? [...cut.slice(0, -1), other] : cut;
  }

  /** Tells this host's names and addresses: mail to them, and to what is no better, would go round. Only port 25 is us. */
  #selfTest({ port }: Destination): ((nameOrAddress: string) => boolean) | undefined {
    if (port !== 25 || this.settings.protocol === "lmtp") return undefined;
    return (nameOrAddress) => this.#own.has(lowerCase(plainAddress(nameOrAddress)));
  }
}

/** No server but this host is left: the better ones have no address now, or there are none and mail goes round. */
function nobodyBetter(host: string, areOthers: boolean): NoWay {
  if (!areOthers) return new NoWay(loopTrouble(host, false));
  const text = `unable to find primary relay for ${host}`;
  return new NoWay({ dsn: "4.4.4", text, relay: "none", site: true, final: true });
}

/** Postfix's words for what DNS did not say. */
function nameError(name: string, type: string, { status, own }: DnsAnswer): Trouble {
  const why = status === "nxdomain"
    ? "Host not found"
    : status === "fail"
    ? "Host not found, try again"
    : "Host found but no data record of requested type";
  return {
    dsn: status === "fail" ? "4.4.3" : "5.4.4",
    text: `Host or domain name not found. Name service error for name=${name} type=${type}: ${why}`,
    relay: "none",
    // What keeps us from asking says nothing about the site.
    site: status === "fail" && !own,
  };
}

function byPreference(exchangers: readonly Exchanger[]): Exchanger[][] {
  const levels: Exchanger[][] = [];
  for (let at = 0; at < exchangers.length;) {
    const { preference } = exchangers[at]!;
    let end = at;
    while (exchangers[end]?.preference === preference) end++;
    levels.push(exchangers.slice(at, end));
    at = end;
  }
  return levels;
}

function shuffle<T>(items: T[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
}
