/** The restriction language of smtpd (reference 3.4) as it is written; what each restriction does is smtpd's. */

import { ConfigError } from "../errors.ts";
import { lowerCase } from "../smtp/keyword.ts";
import { type Notes, type Parameter, parsed } from "./declare.ts";
import { splitList } from "./split_list.ts";

/** The restrictions that there are, and which are followed by an argument. */
const RESTRICTIONS = {
  permit: false,
  reject: false,
  defer: false,
  defer_if_permit: false,
  defer_if_reject: false,
  sleep: true,
  permit_mynetworks: false,
  permit_inet_interfaces: false,
  permit_sasl_authenticated: false,
  permit_auth_destination: false,
  reject_unauth_destination: false,
  defer_unauth_destination: false,
  reject_unauth_pipelining: false,
  reject_invalid_helo_hostname: false,
  reject_non_fqdn_helo_hostname: false,
  reject_non_fqdn_sender: false,
  reject_non_fqdn_recipient: false,
  reject_unknown_sender_domain: false,
  reject_unknown_recipient_domain: false,
  reject_unlisted_recipient: false,
} as const;

export type RestrictionName = keyof typeof RESTRICTIONS;

/** Former names of some. */
const ALIASES: ReadonlyMap<string, RestrictionName> = new Map([
  ["reject_invalid_hostname", "reject_invalid_helo_hostname"],
  ["reject_non_fqdn_hostname", "reject_non_fqdn_helo_hostname"],
  ["reject_unknown_address", "reject_unknown_sender_domain"],
  ["check_recipient_maps", "reject_unlisted_recipient"],
]);

/** One restriction of a list. */
export interface Restriction {
  readonly name: RestrictionName;
  /** Empty for those that take none. */
  readonly argument: string;
  /** After warn_if_reject. */
  readonly warn: boolean;
}

/** A list of restrictions. What is Postfix's but not built yet is refused: silence would be a hole. */
export function restrictions(
  name: string,
  fallback: string,
  notes: Notes,
): Parameter<Restriction[]> {
  return parsed(name, fallback, notes, (text) => parse(splitList(text)));
}

function parse(words: readonly string[]): Restriction[] {
  const steps: Restriction[] = [];
  let warn = false;
  for (let n = 0; n < words.length; n++) {
    const word = lowerCase(words[n]!);
    if (word === "warn_if_reject") {
      warn = true;
      continue;
    }
    const name = ALIASES.get(word) ?? word;
    if (!isRestriction(name)) throw new ConfigError(unusable(words[n]!));
    const argument = RESTRICTIONS[name] ? words[++n] : "";
    if (argument === undefined) throw new ConfigError(`${name} needs an argument`);
    if (name === "sleep" && !/^[0-9]{1,3}$/.test(argument)) {
      throw new ConfigError(`sleep needs seconds up to 999: is "${argument}"`);
    }
    steps.push({ name, argument, warn });
    warn = false;
  }
  if (warn) throw new ConfigError("warn_if_reject needs a restriction after it");
  return steps;
}

function isRestriction(word: string): word is RestrictionName {
  return Object.hasOwn(RESTRICTIONS, word);
}

function unusable(word: string): string {
  const name = lowerCase(word);
  if (NOT_BUILT.test(name)) return `restriction "${word}" is not built yet`;
  if (/^[a-z]+:./.test(name)) return `restriction "${word}": access tables are not built yet`;
  return `unknown smtpd restriction: "${word}"`;
}

/** Postfix's restrictions that other issues bring. */
const NOT_BUILT = new RegExp(`^(${
  [
    "check_policy_service|check_(ccert|sasl|etrn|client|helo|sender|recipient)_access",
    "check_(client|helo|sender|recipient)_(a|mx|ns)_access",
    "check_reverse_client_hostname_(a_|mx_|ns_|)access",
    "permit_tls_(all_)?clientcerts|permit_(dns|rhs)wl_client|permit_mx_backup",
    "reject_(plaintext_session|multi_recipient_bounce|rbl_client|maps_rbl)",
    "reject_rhsbl_(client|reverse_client|helo|sender|recipient)",
    "reject_unknown_(client|(reverse_|forward_)?client_hostname|(helo_)?hostname)",
    "reject_((un)?authenticated_|known_)?sender_login_mismatch",
    "reject_unlisted_sender|reject_unverified_(sender|recipient)",
  ].join("|")
})$`);

const CLOSING: readonly RestrictionName[] = [
  "reject_unauth_destination",
  "defer_unauth_destination",
  "reject",
  "defer",
  "defer_if_permit",
];

/** What makes an open relay of the lists that RCPT asks; undefined when they are closed (reference 3.4). */
export function openRelay(lists: readonly (readonly Restriction[])[]): string | undefined {
  if (lists.flat().some(({ name, warn }) => !warn && CLOSING.includes(name))) return undefined;
  return "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, " +
    `specify at least one working instance of: ${CLOSING.join(", ")}`;
}
