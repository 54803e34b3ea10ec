/** What the parameters of smtpd amount to: compiled once at start, read by every session. */

import { RE2JS } from "re2js";
import { ConfigError, reason } from "../../shared/errors.ts";
import { splitList, type Values } from "../../shared/parameters/declare.ts";
import type { smtpdParameters } from "../../shared/parameters/smtpd.ts";
import type { AddressClass } from "../../shared/protocols/rewrite.ts";
import { upperCase } from "../../shared/smtp/keyword.ts";
import { type Reply, reply } from "../../shared/smtp/reply.ts";
import { addressesOf, isDefault, type Matcher, networks } from "./networks.ts";
import type { ListName } from "./check.ts";
import { compile, demandClosedRelay, type Step } from "./restrictions.ts";

type Params = Values<typeof smtpdParameters>;

export interface Settings extends Omit<Params, "mynetworks"> {
  /** STARTTLS can be offered. */
  readonly tls: boolean;
  readonly mynetworks: Matcher;
  readonly ownAddresses: Matcher;
  readonly uncounted: Matcher;
  readonly bareLfExcluded: Matcher;
  readonly isForbidden: (verb: string) => boolean;
  readonly isNoop: (verb: string) => boolean;
  /** Extensions that are off, in lower case. */
  readonly discarded: ReadonlySet<string>;
  readonly lists: Readonly<Record<ListName, readonly Step[]>>;
  /** What RCPT asks, in order. */
  readonly recipientLists: readonly ListName[];
  /** Code, and the name of the table, for recipients that are not listed. */
  readonly unknownRecipient: Readonly<Record<AddressClass, readonly [number, string]>>;
  readonly greeting: Reply;
  readonly heloReply: Reply;
  readonly ehloReply: (tlsActive: boolean) => Reply;
}

/** Compiles; throws ConfigError that names the parameter. */
export function settings(params: Params, hasTls: boolean): Settings {
  const { mynetworks, inetInterfaces, myhostname } = params;
  if (params.mynetworksStyle !== "host" && isDefault(mynetworks)) {
    throw new ConfigError("mynetworks_style: only host is supported: set mynetworks instead");
  }
  if (params.tlsSecurityLevel === "encrypt" && !hasTls) {
    throw new ConfigError("smtpd_tls_security_level: encrypt needs smtpd_tls_chain_files");
  }
  const level = params.tlsSecurityLevel;
  const tls = hasTls && (level === "may" || level === "encrypt" || params.tlsWrappermode);
  const discarded = new Set(params.discardEhloKeywords.map((word) => word.toLowerCase()));
  const noops = new Set(params.noopCommands.map((word) => word.toUpperCase()));
  const ehlo = [false, true].map((active) =>
    reply(250, "", extensions(params, tls && !active, discarded))
  );
  const matcher = (parameter: string, list: readonly string[]) =>
    networks(parameter, list, inetInterfaces);
  return {
    ...params,
    tls,
    mynetworks: matcher("mynetworks", mynetworks),
    ownAddresses: networks("inet_interfaces", ["127.0.0.1", "::1", ...addressesOf(inetInterfaces)]),
    uncounted: matcher("smtpd_client_event_limit_exceptions", params.eventLimitExceptions),
    bareLfExcluded: matcher(
      "smtpd_forbid_bare_newline_exclusions",
      params.forbidBareNewlineExclusions,
    ),
    isForbidden: forbidden(params.forbiddenCommands),
    isNoop: (verb) => noops.has(verb),
    discarded,
    lists: lists(params),
    recipientLists: recipientLists(params),
    unknownRecipient: {
      local: [params.unknownLocalRecipientRejectCode, "local recipient"],
      virtual: [params.unknownVirtualMailboxRejectCode, "virtual mailbox"],
      alias: [params.unknownVirtualAliasRejectCode, "virtual alias"],
      relay: [params.unknownRelayRecipientRejectCode, "relay recipient"],
      default: [params.unknownRelayRecipientRejectCode, "relay recipient"],
    },
    greeting: reply(220, "", params.banner),
    heloReply: reply(250, "", myhostname),
    ehloReply: (active) => ehlo[active ? 1 : 0]!,
  };
}

/** The lines of the reply to EHLO, in Postfix's order (reference 3.1). */
function extensions(params: Params, starttls: boolean, discarded: ReadonlySet<string>): string[] {
  const { messageSizeLimit } = params;
  const all = [
    "PIPELINING",
    messageSizeLimit ? `SIZE ${messageSizeLimit}` : "SIZE",
    params.disableVrfyCommand ? "" : "VRFY",
    "ETRN",
    starttls ? "STARTTLS" : "",
    "ENHANCEDSTATUSCODES",
    "8BITMIME",
    "DSN",
    params.smtputf8Enable ? "SMTPUTF8" : "",
    "CHUNKING",
  ];
  const offered = all.filter((line) => line && !discarded.has(line.split(" ")[0]!.toLowerCase()));
  return [params.myhostname, ...offered];
}

function lists(params: Params): Settings["lists"] {
  const relay = compile("smtpd_relay_restrictions", params.relayRestrictions);
  const recipient = compile("smtpd_recipient_restrictions", params.recipientRestrictions);
  demandClosedRelay(relay, recipient);
  return {
    client: compile("smtpd_client_restrictions", params.clientRestrictions),
    helo: compile("smtpd_helo_restrictions", params.heloRestrictions),
    sender: compile("smtpd_sender_restrictions", params.senderRestrictions),
    relay,
    recipient,
    data: compile("smtpd_data_restrictions", params.dataRestrictions),
    end_of_data: compile("smtpd_end_of_data_restrictions", params.endOfDataRestrictions),
    etrn: compile("smtpd_etrn_restrictions", params.etrnRestrictions),
  };
}

function recipientLists(params: Params): ListName[] {
  const early: ListName[] = params.delayReject ? ["client", "helo", "sender"] : [];
  return params.relayBeforeRecipientRestrictions
    ? [...early, "relay", "recipient"]
    : [...early, "recipient", "relay"];
}

/** Words, and `regexp:{{/pattern/ result} ...}` whose patterns RE2 matches: no pattern can take forever. */
function forbidden(items: readonly string[]): (verb: string) => boolean {
  const words = new Set<string>();
  const patterns: RE2JS[] = [];
  for (const item of items) {
    const [, rules] = /^(?:regexp|pcre):\{(.*)\}$/s.exec(item) ?? [];
    if (rules !== undefined) patterns.push(...splitList(rules).map(pattern));
    else if (/^[a-z]+:/.test(item)) {
      throw new ConfigError(`smtpd_forbidden_commands: tables are not built yet: "${item}"`);
    } else words.add(item.toUpperCase());
  }
  return (verb) => words.has(upperCase(verb)) || patterns.some((each) => each.matcher(verb).find());
}

function pattern(rule: string): RE2JS {
  const [, source] = /^\/(.*)\/\S*\s+\S/.exec(rule) ?? [];
  if (source === undefined) {
    throw new ConfigError(`smtpd_forbidden_commands: must be /pattern/ result: is "${rule}"`);
  }
  try {
    return RE2JS.compile(source, RE2JS.CASE_INSENSITIVE);
  } catch (error) {
    throw new ConfigError(`smtpd_forbidden_commands: ${reason(error)}`);
  }
}
