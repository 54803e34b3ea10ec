/** What the parameters amount to: open tables and lists, and which domains are ours. */

import { ConfigError } from "../../shared/errors.ts";
import { literalAddress } from "../../shared/net/network.ts";
import { type Values } from "../../shared/parameters/declare.ts";
import { ownAddresses } from "../../shared/parameters/own_addresses.ts";
import type { TransportValue } from "../../shared/parameters/parsers.ts";
import { rewriteParameters } from "../../shared/parameters/rewrite.ts";
import { DomainList } from "../../shared/table/match_list.ts";
import { type Environment, RUNNING, TableList } from "../../shared/table/table.ts";
import type { MaybePromise } from "./steps.ts";

export type Params = Values<typeof rewriteParameters>;
type Lists = { [K in keyof Params]: Params[K] extends string[] ? K : never }[keyof Params];

/** Everything that rewrite and resolve ask; made once from the parameters. */
export class Settings {
  readonly virtualAliasDomains: DomainList;
  readonly virtualMailboxDomains: DomainList;
  readonly relayDomains: DomainList;
  readonly transports: Readonly<Record<"local" | "virtual" | "relay" | "default", TransportValue>>;
  readonly transportParents: "subdomains" | "dot";
  readonly propagateVirtual: boolean;

  readonly virtualAliasMaps: TableList;
  readonly virtualMailboxMaps: TableList;
  readonly virtualUidMaps: TableList;
  readonly virtualGidMaps: TableList;
  readonly localRecipientMaps: TableList;
  readonly relayRecipientMaps: TableList;
  readonly transportMaps: TableList;
  readonly relocatedMaps: TableList;
  readonly senderDefaultTransportMaps: TableList;
  readonly senderRelayhostMaps: TableList;

  #mydestination: DomainList;
  #ownAddresses: ReadonlySet<string>;

  /** A table that cannot be opened fails later. */
  constructor(readonly params: Params, environment: Environment = RUNNING) {
    const below = params.parentDomainMatchesSubdomains;
    const parents = (feature: string) => below.includes(feature) ? "subdomains" : "dot";
    const fixed = { ...environment, fixedResults: true };
    const tables = (name: Lists) =>
      new TableList(params[name], rewriteParameters[name].fixedResults ? fixed : environment);
    this.#mydestination = domains("mydestination", params.mydestination, "exact", environment);
    this.#ownAddresses = ownAddresses(params);
    this.virtualAliasDomains = domains(
      "virtual_alias_domains",
      params.virtualAliasDomains,
      "exact",
      environment,
    );
    this.virtualMailboxDomains = domains(
      "virtual_mailbox_domains",
      params.virtualMailboxDomains,
      "exact",
      environment,
    );
    this.relayDomains = domains(
      "relay_domains",
      params.relayDomains,
      parents("relay_domains"),
      environment,
    );
    this.transports = {
      local: params.localTransport,
      virtual: params.virtualTransport,
      relay: params.relayTransport,
      default: params.defaultTransport,
    };
    this.transportParents = parents("transport_maps");
    this.propagateVirtual = params.propagateUnmatchedExtensions.includes("virtual");
    this.virtualAliasMaps = tables("virtualAliasMaps");
    this.virtualMailboxMaps = tables("virtualMailboxMaps");
    this.virtualUidMaps = tables("virtualUidMaps");
    this.virtualGidMaps = tables("virtualGidMaps");
    this.relayRecipientMaps = tables("relayRecipientMaps");
    this.transportMaps = tables("transportMaps");
    this.relocatedMaps = tables("relocatedMaps");
    this.senderDefaultTransportMaps = tables("senderDependentDefaultTransportMaps");
    this.senderRelayhostMaps = tables("senderDependentRelayhostMaps");
    // The files of alias_maps are in another format than those of the other tables.
    const aliases = { ...environment, aliases: true };
    const direct = (spec: string) => spec.replace(/^proxy:/, "");
    const aliasMaps = params.aliasMaps.map(direct);
    this.localRecipientMaps = new TableList(
      params.localRecipientMaps,
      (spec) => aliasMaps.includes(direct(spec)) ? aliases : environment,
    );
  }

  /** True for the domains of mydestination and for `[address]` where the address is ours. */
  isLocal(domain: string): MaybePromise<boolean> {
    if (domain.startsWith("[") && this.#ownAddresses.has(literalAddress(domain) ?? "")) return true;
    return this.#mydestination.matches(domain);
  }
}

function domains(
  name: string,
  items: string[],
  parents: "exact" | "subdomains" | "dot",
  environment: Environment,
): DomainList {
  try {
    return new DomainList(items, parents, environment);
  } catch (error) {
    throw new ConfigError(`${name}: ${(error as Error).message}`);
  }
}
