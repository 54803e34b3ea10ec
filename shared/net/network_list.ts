/** The items of lists of networks such as `mynetworks`: `10.0.0.0/8 [::1]/128 !10.9.9.9 cidr:/file /file`. */

import { ConfigError } from "../errors.ts";
import { type Network, parseNetwork } from "./network.ts";

/** One item: a network, or a file of them. */
export type NetworkItem =
  & {
    /** As it was written. */
    readonly text: string;
    /** False after `!`. */
    readonly included: boolean;
  }
  & ({ readonly network: Network } | { readonly file: string; readonly kind: "list" | "cidr" });

/** Reads an item; throws ConfigError that says what would be right. */
export function networkItem(text: string): NetworkItem {
  const bare = text.replace(/^!+/, "");
  const item = { text, included: (text.length - bare.length) % 2 === 0 };
  const network = parseNetwork(bare);
  if (typeof network === "string") throw new ConfigError(network);
  if (network) return { ...item, network };
  const [, cidr, file] = /^(cidr:)?(\/.+)$/.exec(bare) ?? [];
  if (file) return { ...item, file, kind: cidr ? "cidr" : "list" };
  if (/^[a-z]+:[^:]/.test(bare)) {
    throw new ConfigError(`of tables, only cidr:/file can be used here: is "${text}"`);
  }
  throw new ConfigError(`must be a network or address: is "${text}"`);
}
