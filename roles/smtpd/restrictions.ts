/**
 * The restriction language of smtpd (reference 3.4): a table from name to function, lists compiled at start, and their
 * evaluation from left to right. A name that is Postfix's but not built yet stops the start: silence would be a hole.
 */

import { ConfigError } from "../../shared/errors.ts";
import { external } from "../../shared/mail/address.ts";
import { Reply, reply } from "../../shared/smtp/reply.ts";
import { type Check, refuse, type Verdict } from "./check.ts";
import { needsFqdn, validHelo } from "./hostnames.ts";
import { rejectUnknownDomain } from "./restrictions_dns.ts";
import type { Maybe } from "./services.ts";

export interface Step {
  readonly name: string;
  readonly warn: boolean;
  run(check: Check): Maybe<Verdict>;
}

interface Entry {
  readonly argument?: true;
  run(check: Check, argument: string): Maybe<Verdict>;
}

/** Asks each step in turn; synchronous as long as every step is. */
export function evaluate(steps: readonly Step[], check: Check, from = 0): Maybe<Verdict> {
  for (let n = from; n < steps.length; n++) {
    const step = steps[n]!;
    const verdict = step.run(check);
    if (verdict instanceof Promise) {
      return verdict.then((late) => {
        const decided = decide(step, check, late);
        return decided === "dunno" ? evaluate(steps, check, n + 1) : decided;
      });
    }
    const decided = decide(step, check, verdict);
    if (decided !== "dunno") return decided;
  }
  return "dunno";
}

function decide(step: Step, check: Check, verdict: Verdict): Verdict {
  if (!(verdict instanceof Reply)) return verdict;
  if (step.warn) {
    check.warn(verdict);
    return "dunno";
  }
  return verdict.code >= 500 ? check.deferIfReject ?? verdict : verdict;
}

/** Compiles the list of a parameter; throws ConfigError that names what cannot be used. */
export function compile(parameter: string, words: readonly string[]): Step[] {
  const steps: Step[] = [];
  let warn = false;
  for (let n = 0; n < words.length; n++) {
    const name = words[n]!.toLowerCase();
    if (name === "warn_if_reject") {
      warn = true;
      continue;
    }
    const entry = table.get(ALIASES.get(name) ?? name);
    if (!entry) throw new ConfigError(`${parameter}: ${unusable(words[n]!)}`);
    const argument = entry.argument ? words[++n] : "";
    if (argument === undefined) throw new ConfigError(`${parameter}: ${name} needs an argument`);
    if (name === "sleep" && !/^[0-9]{1,3}$/.test(argument)) {
      throw new ConfigError(`${parameter}: sleep needs seconds up to 999: is "${argument}"`);
    }
    steps.push({ name, warn, run: (check) => entry.run(check, argument) });
    warn = false;
  }
  if (warn) throw new ConfigError(`${parameter}: warn_if_reject needs a restriction after it`);
  return steps;
}

const CLOSING = [
  "reject_unauth_destination",
  "defer_unauth_destination",
  "reject",
  "defer",
  "defer_if_permit",
];

/** An open relay must not start (reference 3.4). */
export function demandClosedRelay(relay: readonly Step[], recipient: readonly Step[]): void {
  if ([...relay, ...recipient].some(({ name, warn }) => !warn && CLOSING.includes(name))) return;
  throw new ConfigError(
    "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, " +
      `specify at least one working instance of: ${CLOSING.join(", ")}`,
  );
}

function unusable(word: string): string {
  const name = word.toLowerCase();
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

const ALIASES = new Map(Object.entries({
  reject_invalid_hostname: "reject_invalid_helo_hostname",
  reject_non_fqdn_hostname: "reject_non_fqdn_helo_hostname",
  reject_unknown_address: "reject_unknown_sender_domain",
  check_recipient_maps: "reject_unlisted_recipient",
}));

const entries: Record<string, Entry> = {
  permit: { run: () => "ok" },
  reject: {
    run: (check) => refuse(check, check.list, check.settings.rejectCode, "5.7.1", "Access denied"),
  },
  defer: {
    run: (check) => refuse(check, check.list, check.settings.deferCode, "4.7.1", "Try again later"),
  },
  defer_if_permit: {
    run(check) {
      check.deferIfPermit ??= requested(check, "defer_if_permit");
      return "dunno";
    },
  },
  defer_if_reject: {
    run(check) {
      check.deferIfReject ??= requested(check, "defer_if_reject");
      return "dunno";
    },
  },
  sleep: {
    argument: true,
    async run(check, seconds): Promise<Verdict> {
      await check.services.clock.sleep(Number(seconds) * 1000);
      return "dunno";
    },
  },
  permit_mynetworks: {
    run: (check) => check.settings.mynetworks(check.clientAddress) ? "ok" : "dunno",
  },
  permit_inet_interfaces: {
    run: (check) => check.settings.ownAddresses(check.clientAddress) ? "ok" : "dunno",
  },
  // No session is authenticated before the auth role is built.
  permit_sasl_authenticated: { run: () => "dunno" },
  permit_auth_destination: { run: (check) => isAuthorized(check) ? "ok" : "dunno" },
  reject_unauth_destination: {
    run: (check) => relayDenied(check, check.settings.relayDomainsRejectCode),
  },
  defer_unauth_destination: { run: (check) => relayDenied(check, DEFER_RELAY_CODE) },
  reject_unauth_pipelining: {
    run: (check) =>
      check.illegalPipelining
        ? refuse(check, check.list, 503, "5.5.0", "Improper use of SMTP command pipelining")
        : "dunno",
  },
  reject_invalid_helo_hostname: {
    run: (check) =>
      check.helo === undefined || validHelo(check.helo) ? "dunno" : refuse(
        check,
        "helo",
        check.settings.invalidHostnameRejectCode,
        "5.5.2",
        "Invalid name",
      ),
  },
  reject_non_fqdn_helo_hostname: {
    run: (check) =>
      check.helo === undefined || !needsFqdn(check.helo) ? "dunno" : refuse(
        check,
        "helo",
        check.settings.nonFqdnRejectCode,
        "5.5.2",
        "need fully-qualified hostname",
      ),
  },
  reject_non_fqdn_sender: { run: (check) => rejectNonFqdn(check, "sender", check.sender) },
  reject_non_fqdn_recipient: {
    run: (check) => rejectNonFqdn(check, "recipient", check.recipient),
  },
  reject_unknown_sender_domain: {
    run: (check) => rejectUnknownDomain(check, "sender", check.sender),
  },
  reject_unknown_recipient_domain: {
    run: (check) => rejectUnknownDomain(check, "recipient", check.recipient),
  },
  reject_unlisted_recipient: { run: rejectUnlisted },
};
const table = new Map(Object.entries(entries));

const DEFER_RELAY_CODE = 454;

function requested(check: Check, name: string): Reply {
  return refuse(check, check.list, 450, "4.7.0", `${name} requested`);
}

/** The recipient's domain is one of ours, or one that we relay for, with no other route in its local part. */
function isAuthorized({ resolved }: Check): boolean {
  return resolved !== undefined && resolved.resolved.class !== "default" &&
    !resolved.resolved.routed;
}

function relayDenied(check: Check, code: number): Verdict {
  if (check.recipient === undefined || isAuthorized(check)) return "dunno";
  return reply(code, "5.7.1", `<${external(check.recipient)}>: Relay access denied`);
}

function rejectNonFqdn(
  check: Check,
  list: "sender" | "recipient",
  address: string | undefined,
): Verdict {
  if (!address) return "dunno";
  const domain = address.slice(address.lastIndexOf("@") + 1);
  if (address.includes("@") && !needsFqdn(domain)) return "dunno";
  const code = check.settings.nonFqdnRejectCode;
  return refuse(check, list, code, "5.5.2", "need fully-qualified address");
}

/** The reply that a table which failed leads to: later, never no. */
export function temporaryFailure(address: string): Reply {
  return reply(451, "4.3.0", `<${external(address)}>: Temporary lookup failure`);
}

/** Refuses a recipient that the list of its address class does not have. */
export function rejectUnlisted(check: Check): Verdict {
  const { resolved, recipient, settings } = check;
  if (recipient === undefined || resolved === undefined) return "dunno";
  if (resolved.resolved.fail || resolved.listed === "fail") return temporaryFailure(recipient);
  if (resolved.resolved.error) {
    return refuse(check, "recipient", 501, "5.1.3", "bad address syntax");
  }
  if (resolved.listed !== "no") return "dunno";
  const [code, where] = settings.unknownRecipient[resolved.resolved.class];
  return refuse(
    check,
    "recipient",
    code,
    "5.1.1",
    settings.showUserUnknownTableName ? `User unknown in ${where} table` : "User unknown",
  );
}
