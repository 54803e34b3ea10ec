/** What the parameters of smtpd amount to: compiled once at start, read by every session. */

import { ConfigError } from "../../shared/errors.ts";
import type { NetworkItem } from "../../shared/net/network_list.ts";
import type { Values } from "../../shared/parameters/declare.ts";
import type { smtpdParameters } from "../../shared/parameters/smtpd.ts";
import type { AddressClass } from "../../shared/protocols/rewrite.ts";
import { forbiddenCommands } from "../../shared/smtp/forbidden_commands.ts";
import { sizeExtension } from "../../shared/smtp/standard_replies.ts";
import { type Reply, reply } from "../../shared/smtp/reply.ts";
import { isDefaultNetworks, serverComplaints } from "../../shared/smtp/server_rules.ts";
import { addressItems, type Matcher, networks } from "./networks.ts";
import { EARLY_LISTS, type ListName } from "./check.ts";
import { compile, type Step } from "./restrictions.ts";

type Params = Values<typeof smtpdParameters>;

export interface Settings extends Omit<Params, "mynetworks"> {
  /** STARTTLS can be offered. */
  readonly tls: boolean;
  readonly mynetworks: Matcher;
  readonly ownAddresses: Matcher;
  /** The client's headers are treated as those of local mail. */
  readonly hasLocalHeaders: Matcher;
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
  const [wrong] = serverComplaints(params, hasTls);
  if (wrong) throw new ConfigError(`${wrong.parameter}: ${wrong.text}`);
  const { mynetworks, inetInterfaces, myhostname } = params;
  const level = params.tlsSecurityLevel;
  const tls = hasTls && (level === "may" || level === "encrypt" || params.tlsWrappermode);
  const discarded = new Set(params.discardEhloKeywords.map((word) => word.toLowerCase()));
  const noops = new Set(params.noopCommands.map((word) => word.toUpperCase()));
  const ehlo = [false, true].map((active) =>
    reply(250, "", extensions(params, tls && !active, discarded))
  );
  // Of the default list, the addresses of this machine are a part as far as inet_interfaces names them: others cannot be
  // asked for without a right that smtpd does not hold.
  const matcher = (list: readonly NetworkItem[]) =>
    networks(isDefaultNetworks(list) ? [...list, ...addressItems(inetInterfaces)] : list);
  const inNetworks = matcher(mynetworks);
  const ownAddresses = networks(addressItems(["127.0.0.1", "::1", ...inetInterfaces]));
  const tests: Readonly<Record<string, Matcher>> = {
    permit_inet_interfaces: ownAddresses,
    permit_mynetworks: inNetworks,
  };
  return {
    ...params,
    tls,
    mynetworks: inNetworks,
    ownAddresses,
    hasLocalHeaders: (address) =>
      params.localHeaderRewriteClients.some((name) => tests[name]?.(address) ?? false),
    uncounted: matcher(params.eventLimitExceptions),
    bareLfExcluded: matcher(params.forbidBareNewlineExclusions),
    isForbidden: forbiddenCommands(params.forbiddenCommands),
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
  const all = [
    "PIPELINING",
    sizeExtension(params.messageSizeLimit),
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
  return {
    client: compile(params.clientRestrictions),
    helo: compile(params.heloRestrictions),
    sender: compile(params.senderRestrictions),
    relay: compile(params.relayRestrictions),
    recipient: compile(params.recipientRestrictions),
    data: compile(params.dataRestrictions),
    end_of_data: compile(params.endOfDataRestrictions),
    etrn: compile(params.etrnRestrictions),
  };
}

function recipientLists(params: Params): ListName[] {
  const early: readonly ListName[] = params.delayReject ? EARLY_LISTS : [];
  return params.relayBeforeRecipientRestrictions
    ? [...early, "relay", "recipient"]
    : [...early, "recipient", "relay"];
}
