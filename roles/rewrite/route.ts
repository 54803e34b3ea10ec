/** Which class a domain is of, and where each class goes (reference 5.1, 5.2). */

import { hasControl } from "../../shared/bytes.ts";
import { StorageError } from "../../shared/errors.ts";
import { external } from "../../shared/mail/address.ts";
import { MAX_ADDRESS } from "../../shared/mail/envelope.ts";
import { parseTransport, type TransportValue } from "../../shared/parameters/parsers.ts";
import type { AddressClass } from "../../shared/protocols/rewrite.ts";
import { domainKeys } from "../../shared/table/match_list.ts";
import type { TableList } from "../../shared/table/table.ts";
import { findAddress, split } from "./lookup.ts";
import type { Settings } from "./settings.ts";
import { need, type Steps } from "./steps.ts";

export type Route = TransportValue;

/** The class of a domain that is not local: the first list that has it. */
export function* classOf(settings: Settings, domain: string): Steps<AddressClass> {
  if (yield* need(settings.virtualAliasDomains.matches(domain))) return "alias";
  if (yield* need(settings.virtualMailboxDomains.matches(domain))) return "virtual";
  if (yield* need(settings.relayDomains.matches(domain))) return "relay";
  return "default";
}

/** Where an address of that class goes. `domain` is in lower case. */
export function* routeOf(
  settings: Settings,
  kind: AddressClass,
  sender: string,
  recipient: string,
  domain: string,
): Steps<Route> {
  let route: Route;
  if (kind === "alias") {
    const where = settings.params.showUserUnknownTableName ? " in virtual alias table" : "";
    route = { transport: "error", nexthop: `5.1.1 User unknown${where}` };
  } else {
    route = yield* classRoute(settings, kind, sender, domain);
    route = yield* transportRoute(settings, route, recipient, domain);
  }
  return sound(yield* relocatedRoute(settings, route, recipient));
}

function* classRoute(
  settings: Settings,
  kind: "local" | "virtual" | "relay" | "default",
  sender: string,
  domain: string,
): Steps<Route> {
  const { params, transports } = settings;
  if (kind === "local" || kind === "virtual") return merge(transports[kind], domain);
  const relayhost = (yield* senderValue(
    settings,
    settings.senderRelayhostMaps,
    sender,
    params.emptyAddressRelayhostMapsLookupKey,
  )) ?? params.relayhost;
  const nexthop = relayhost || domain;
  if (kind === "relay") return merge(transports.relay, nexthop);
  const value = yield* senderValue(
    settings,
    settings.senderDefaultTransportMaps,
    sender,
    params.emptyAddressDefaultTransportMapsLookupKey,
  );
  return merge(value === null ? transports.default : parseTransport(value), nexthop);
}

/** A transport's own next hop wins over the one so far: `default_transport = smtp:[gateway]` beats relayhost. */
function merge(value: TransportValue, nexthop: string): Route {
  return { transport: value.transport, nexthop: value.nexthop || nexthop };
}

/** The sender's own value, found as that of an alias is (reference 5.4); null without one, and where it says DUNNO. */
function* senderValue(
  settings: Settings,
  tables: TableList,
  sender: string,
  nullKey: string,
): Steps<string | null> {
  if (tables.empty) return null;
  const value = sender
    ? (yield* findAddress(settings, tables, sender, "full"))?.value ?? null
    : yield* need(tables.lookup(nullKey));
  return value === null || value.toUpperCase() === "DUNNO" ? null : value;
}

/** transport_maps: user+ext@dom, user@dom, dom, its parents, `*`. */
function* transportRoute(
  settings: Settings,
  route: Route,
  recipient: string,
  domain: string,
): Steps<Route> {
  const tables = settings.transportMaps;
  if (tables.empty) return route;
  let value = yield* need(tables.lookup(external(recipient)));
  if (value === null) {
    const { user, extension } = split(settings.params, recipient);
    const keys = domainKeys(domain, settings.transportParents);
    if (extension) keys.unshift(external(`${user}@${domain}`));
    for (const key of [...keys, "*"]) {
      value = yield* need(tables.lookup(key, true));
      if (value !== null) break;
    }
  }
  if (value === null) return route;
  const { transport, nexthop } = parseTransport(value);
  if (transport) return { transport, nexthop: nexthop || domain };
  return nexthop ? { transport: route.transport, nexthop } : route;
}

function* relocatedRoute(settings: Settings, route: Route, recipient: string): Steps<Route> {
  if (settings.relocatedMaps.empty) return route;
  const found = yield* findAddress(settings, settings.relocatedMaps, recipient, "full");
  if (!found) return route;
  const prefix = settings.params.relocatedPrefixEnable ? "5.1.6 User has moved to " : "";
  return { transport: "error", nexthop: prefix + found.value };
}

const MAX_TRANSPORT = 64;

/** What a table made up must still be a name and one line of text. */
function sound(route: Route): Route {
  const { transport, nexthop } = route;
  if (!transport || transport.length > MAX_TRANSPORT || /[^\x21-\x7e]/.test(transport)) {
    throw new StorageError(`bad transport name: "${transport}"`);
  }
  if (nexthop.length > MAX_ADDRESS || hasControl(nexthop)) {
    throw new StorageError(`bad next hop: "${nexthop}"`);
  }
  return route;
}
