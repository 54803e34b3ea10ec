/** `cidr:` tables: the first network that has the address (cidr_table(5)). */

import {
  type AddressBytes,
  addressText,
  contains,
  type Network,
  parseAddress,
  parseNetwork,
} from "../net/network.ts";
import { ConfigError } from "../errors.ts";
import { type Remarks, TextFile } from "./text_file.ts";
import { firstMatch, negation, type Notice, parseRules, type Rule } from "./rules.ts";
import { type Environment, registerTable, type Table } from "./table.ts";

class CidrTable implements Table {
  readonly isPattern = true;
  #file: TextFile<Rule<AddressBytes>[]>;

  constructor(readonly spec: string, path: string, environment: Environment) {
    const parse = (text: string, remarks: Remarks) => parseRules(text, cidrRule, remarks);
    this.#file = new TextFile(path, parse, environment);
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
  const matches = (address: AddressBytes) =>
    // A rule of the other address family says nothing, negated or not.
    address.length === network.bytes.length && contains(network, address) !== negated;
  return { matches, value: () => result };
}

interface CidrLine {
  readonly network: Network;
  readonly negated: boolean;
  readonly result: string;
}

function cidrLine(text: string, block: boolean): CidrLine {
  const { negated, text: bare } = negation(text);
  const match = /^(\S+)(?:\s+(.*))?$/s.exec(bare);
  const network = match ? parseNetwork(match[1]!) : undefined;
  if (!match || network === undefined) throw new Error(`bad net/mask pattern: "${text}"`);
  if (typeof network === "string") throw new Error(network);
  const result = match[2] ?? "";
  if (block && result) throw new Error(`unexpected text after the network of IF: "${result}"`);
  if (!block && !result) throw new Error(`no result for ${match[1]}`);
  return { network, negated, result };
}

/**
 * The networks of a file, for a list of which they are a part: which result each has does not matter there. Throws for what
 * says more than a list of networks can.
 */
export function cidrNetworks(text: string, remarks: Remarks): string[] {
  let beyond: string | undefined;
  const odd = (line: number, text: string) => void (beyond ??= `line ${line}: ${text}`);
  const rules = parseRules(text, listedNetwork, { ...remarks, odd });
  if (beyond) throw new ConfigError(beyond);
  return rules.filter(({ inner }) => !inner).map((rule) => rule.value(NO_ADDRESS));
}

/** A rule whose value is its network. */
function listedNetwork(text: string, block: boolean, notice: Notice): Rule<AddressBytes> {
  const { network: { bytes, bits }, negated } = cidrLine(text, block);
  if (block || negated) notice(`IF and ! cannot be used here: "${text}"`);
  return { matches: () => false, value: () => `${addressText(bytes)}/${bits}` };
}

/** A listed network's value is the same for all. */
const NO_ADDRESS: AddressBytes = [];

registerTable(["cidr"], (name, environment, spec) => new CidrTable(spec, name, environment));
