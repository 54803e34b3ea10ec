/** `cidr:` tables: the first network that has the address (cidr_table(5)). */

import {
  type AddressBytes,
  addressText,
  contains,
  type Network,
  parseAddress,
  parseNetwork,
} from "../net/network.ts";
import { TextFile } from "./file.ts";
import { firstMatch, parseRules, type Rule } from "./rules.ts";
import { type Environment, registerTable, type Table } from "./table.ts";

class CidrTable implements Table {
  readonly isPattern = true;
  #file: TextFile<Rule<AddressBytes>[]>;

  constructor(readonly spec: string, path: string, { clock }: Environment) {
    this.#file = new TextFile(path, (text, warn) => parseRules(text, cidrRule, warn), clock);
  }

  lookup(key: string): string | null {
    const rules = this.#file.get();
    const bytes = parseAddress(key);
    return bytes ? firstMatch(rules, bytes) : null;
  }
}

/** `network result`, `!network result`. */
function cidrRule(text: string, block: boolean): Rule<AddressBytes> {
  const { network, negated, result } = cidrLine(text, block);
  return { matches: (address) => contains(network, address) !== negated, value: () => result };
}

interface CidrLine {
  readonly network: Network;
  readonly negated: boolean;
  readonly result: string;
}

function cidrLine(text: string, block: boolean): CidrLine {
  const match = /^(!?)\s*(\S+)(?:\s+(.*))?$/.exec(text);
  const network = match ? parseNetwork(match[2]!) : undefined;
  if (!match || network === undefined) throw new Error(`bad net/mask pattern: "${text}"`);
  if (typeof network === "string") throw new Error(network);
  const result = match[3] ?? "";
  if (block && result) throw new Error(`unexpected text after the network of IF: "${result}"`);
  if (!block && !result) throw new Error(`no result for ${match[2]}`);
  return { network, negated: match[1] !== "", result };
}

/**
 * The networks of a file, for a list of which they are a part: which result each has does not matter there. Throws for what
 * says more than a list of networks can.
 */
export function cidrNetworks(text: string): string[] {
  const networks: string[] = [];
  const rule = (line: string, block: boolean) => {
    if (block || line.startsWith("!")) throw new Error(`IF and ! cannot be used here: "${line}"`);
    const { bytes, bits } = cidrLine(line, block).network;
    networks.push(`${addressText(bytes)}/${bits}`);
    return cidrRule(line, block);
  };
  parseRules(text, rule, (line, text) => {
    throw new Error(`line ${line}: ${text}`);
  });
  return networks;
}

registerTable(["cidr"], (name, environment, spec) => new CidrTable(spec, name, environment));
