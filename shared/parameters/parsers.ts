/** Parameters whose text means more than words: places, addresses, networks, next hops, transports. */

import { ConfigError, reason } from "../errors.ts";
import { isHostname } from "../net/hostname.ts";
import { literalAddress } from "../net/network.ts";
import { type NetworkItem, networkItem } from "../net/network_list.ts";
import { parseNexthop } from "../net/nexthop.ts";
import { portOf } from "../net/port.ts";
import { lowerCase } from "../smtp/keyword.ts";
import { type Notes, type Parameter, parsed } from "./declare.ts";
import { splitList } from "./split_list.ts";

/** The absolute path of a file or directory; `optional`: or nothing. */
export function path(
  name: string,
  fallback: string,
  notes: Notes & { optional?: true },
): Parameter<string> {
  return parsed(name, fallback, notes, (text) => {
    if (!text.startsWith("/") && !(notes.optional && text === "")) {
      throw new ConfigError(`must be an absolute path: is "${text}"`);
    }
    // Roles are granted it by Deno's flags, which are split at commas and know no escape.
    if (text.includes(",")) throw new ConfigError(`must not have a comma: is "${text}"`);
    return text;
  });
}

/** A host or a domain of this system. */
export function hostname(name: string, fallback: string, notes: Notes): Parameter<string> {
  return parsed(name, fallback, notes, (text) => {
    if (isHostname(text)) return text;
    throw new ConfigError(`must be a name such as mail.example.com: is "${text}"`);
  });
}

/** Words of a list, in lower case; each must be one of these. */
export function words(
  name: string,
  fallback: string,
  known: readonly string[],
  notes: Notes & { optional?: true },
): Parameter<string[]> {
  return parsed(name, fallback, notes, (text) => {
    const list = splitList(text).map(lowerCase);
    const unknown = list.find((word) => !known.includes(word));
    if (unknown !== undefined || !(list.length || notes.optional)) {
      throw new ConfigError(`must be words of ${known.join(", ")}: is "${unknown ?? ""}"`);
    }
    return list;
  });
}

/** Words of `inet_interfaces` that stand for addresses. */
const INTERFACE_WORDS = ["all", "loopback-only", "localhost"];

/** Addresses, perhaps in brackets, and the words for all and for loopback ones. */
export function interfaces(name: string, fallback: string, notes: Notes): Parameter<string[]> {
  return parsed(name, fallback, notes, (text) => {
    const list = splitList(text);
    for (const word of list) {
      if (isInterface(word)) continue;
      throw new ConfigError(`must be addresses, all or loopback-only: is "${word}"`);
    }
    if (!list.length) throw new ConfigError("must be addresses, all or loopback-only: is empty");
    return list;
  });
}

/** True for what can stand in `inet_interfaces`. */
export function isInterface(word: string): boolean {
  return INTERFACE_WORDS.includes(lowerCase(word)) || interfaceAddress(word) !== undefined;
}

/** The address of a word of `inet_interfaces`, in its usual form; undefined for one that is none. */
export function interfaceAddress(word: string): string | undefined {
  return literalAddress(`[${word.replace(/^\[|\]$/g, "")}]`);
}

/** Networks and addresses, `cidr:/file` and `/file`, each perhaps with `!` before it. */
export function networks(name: string, fallback: string, notes: Notes): Parameter<NetworkItem[]> {
  const parse = (text: string) => splitList(text).map(networkItem);
  return { ...parsed(name, fallback, notes, parse), networks: true };
}

/** Next hops, as smtp and lmtp understand them; the value is their text. */
export function nexthops(name: string, fallback: string, notes: Notes): Parameter<string> {
  return parsed(name, fallback, notes, (text) => {
    if (text) demandNexthop(text);
    return text;
  });
}

/** Next hops, one an item. */
export function nexthopList(name: string, fallback: string, notes: Notes): Parameter<string[]> {
  return parsed(name, fallback, notes, (text) => {
    const list = splitList(text);
    list.forEach(demandNexthop);
    return list;
  });
}

/** Whether it is for smtp or for lmtp, which knows more forms, the route says. */
function demandNexthop(text: string): void {
  try {
    parseNexthop(text, true, "25");
  } catch (error) {
    throw new ConfigError(`must be host, [host] or host:port: ${reason(error)}`);
  }
}

/** TCP ports, by number or by name. */
export function ports(name: string, fallback: string, notes: Notes): Parameter<string[]> {
  return parsed(name, fallback, notes, (text) =>
    splitList(text).map((word) => {
      const port = portOf(word);
      if (port === undefined) throw new ConfigError(`must be ports from 1 to 65535: is "${word}"`);
      return String(port);
    }));
}

/** A transport with the next hop that it sets; an empty next hop leaves the one that there is. */
export interface TransportValue {
  readonly transport: string;
  readonly nexthop: string;
}

/** `transport` or `transport:nexthop`. */
export function transport(
  name: string,
  fallback: string,
  notes: Notes,
): Parameter<TransportValue> {
  return parsed(name, fallback, notes, (text) => {
    const value = parseTransport(text);
    if (!value.transport) throw new ConfigError(`must be transport:nexthop: is "${text}"`);
    return value;
  });
}

/** Takes `transport:nexthop` apart, of which either may be empty; without a colon it is a transport. */
export function parseTransport(text: string): TransportValue {
  const colon = text.indexOf(":");
  if (colon < 0) return { transport: text.trim(), nexthop: "" };
  return { transport: text.slice(0, colon).trim(), nexthop: text.slice(colon + 1).trim() };
}
