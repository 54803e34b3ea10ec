/** Envelope recipients: to standard form, through the virtual aliases, each at most once (reference 5.4). */

import { warning } from "../../shared/log/log.ts";
import { MAX_RECIPIENTS, type Recipient } from "../../shared/mail/envelope.ts";
import { findAddresses } from "../../shared/mail/header_address.ts";
import type { Values } from "../../shared/parameters/declare.ts";
import type { cleanupParameters } from "../../shared/parameters/cleanup.ts";
import type { RewriteCache } from "../../shared/rewrite_cache.ts";
import { Refusal } from "../../shared/smtp/refusal.ts";
import { ALIAS_ERROR, NO_RECIPIENTS, WRITE_ERROR } from "./refusal.ts";

type Params = Values<typeof cleanupParameters>;
/** What is asked of rewrite. */
export type Addresses = Pick<RewriteCache, "rewrite" | "lookup">;

/** The final addresses of one recipient; a promise where something has to be asked for. */
type Expanded = string[] | Refusal;

export class RecipientRules {
  constructor(readonly params: Params, readonly addresses: Addresses) {}

  /** The recipients that the queue gets. Throws CallError when rewrite does not answer. */
  async treat(queueId: string, recipients: readonly Recipient[]): Promise<Recipient[] | Refusal> {
    const asked = recipients.map(({ address }) => this.#expand(queueId, address));
    const waits = asked.some((each) => each instanceof Promise);
    const expanded = waits ? await Promise.all(asked) : asked as Expanded[];
    const treated: Recipient[] = [];
    for (let i = 0; i < recipients.length; i++) {
      const addresses = expanded[i]!;
      if (addresses instanceof Refusal) return addresses;
      for (const address of addresses) treated.push({ ...recipients[i]!, address });
    }
    if (!treated.length) return NO_RECIPIENTS;
    const once = treated.length === 1 ? treated : eachOnce(queueId, treated);
    if (once.length <= MAX_RECIPIENTS) return once;
    warning(`${queueId}: over ${MAX_RECIPIENTS} recipients after alias expansion`);
    return ALIAS_ERROR;
  }

  #expand(queueId: string, address: string): Expanded | Promise<Expanded> {
    const { addresses } = this;
    const standard = addresses.rewrite("local", address || this.params.emptyAddressRecipient);
    if (typeof standard !== "string") {
      return standard.then((standard) => this.#alias(queueId, standard));
    }
    return this.#alias(queueId, standard);
  }

  #alias(queueId: string, address: string): Expanded | Promise<Expanded> {
    if (!this.params.virtualAliasMaps.length) return [address];
    const found = this.addresses.lookup("virtual_alias_maps", address);
    if (!(found instanceof Promise) && found.value === null && !found.fail) return [address];
    return this.#follow(queueId, address);
  }

  /** Follows aliases until none is left; what is too much refuses the message. */
  async #follow(queueId: string, recipient: string): Promise<Expanded> {
    const { virtualAliasRecursionLimit, virtualAliasExpansionLimit } = this.params;
    const refuse = (what: string) => {
      warning(
        `${queueId}: unreasonable virtual_alias_maps map ${what} for ${recipient} -- ` +
          "message not accepted, try again later",
      );
      return ALIAS_ERROR;
    };
    const done: string[] = [];
    /** Addresses that expand into themselves do so once. */
    const settled = new Set<string>();
    const open = [{ address: recipient, depth: 0 }];
    for (let next = open.pop(); next; next = open.pop()) {
      const { address, depth } = next;
      const results = settled.has(fold(address)) ? null : await this.#lookup(queueId, address);
      if (results instanceof Refusal) return results;
      if (results === null) {
        done.push(address);
        continue;
      }
      if (depth >= virtualAliasRecursionLimit) return refuse("nesting");
      if (results.length + open.length + done.length > virtualAliasExpansionLimit) {
        return refuse("expansion size");
      }
      if (results.some((result) => fold(result) === fold(address))) settled.add(fold(address));
      for (const result of results.reverse()) open.push({ address: result, depth: depth + 1 });
    }
    return done;
  }

  /** What an address stands for, in standard form; null when it is no alias. */
  async #lookup(queueId: string, address: string): Promise<string[] | null | Refusal> {
    const { value, fail } = await this.addresses.lookup("virtual_alias_maps", address);
    if (fail) {
      warning(
        `${queueId}: virtual_alias_maps map lookup problem for ${address} -- ` +
          "message not accepted, try again later",
      );
      return WRITE_ERROR;
    }
    if (value === null) return null;
    const results = findAddresses(value, MAX_ALIAS_TOKENS).map((found) => found.address);
    const limit = this.params.virtualAliasAddressLengthLimit;
    const long = results.find((result) => result.length > limit);
    if (!results.length || long) {
      const what = long ? "address of excessive length" : "no address";
      warning(`${queueId}: virtual_alias_maps: ${what} for ${address}: ${value}`);
      return ALIAS_ERROR;
    }
    return await Promise.all(results.map((result) => this.addresses.rewrite("local", result)));
  }
}

/** An address has about four tokens; the expansion limit counts addresses. */
const MAX_ALIAS_TOKENS = 100_000;

/**
 * A recipient that a client names again for another report is delivered to again: so often, and no more. Without this a
 * thousand ORCPTs would store a message a thousand times for whoever sent it once.
 */
const MAX_REPORTS_OF_RECIPIENT = 50;

/** Two copies for one mailbox help nobody, unless they came by different addresses or want different reports. */
function eachOnce(queueId: string, recipients: Recipient[]): Recipient[] {
  const seen = new Set<string>();
  const reports = new Map<string, number>();
  let over = 0;
  const once = recipients.filter(({ address, original, orcpt, notify }) => {
    const recipient = fold(`${original}\n${address}`);
    const key = `${fold(orcpt)}\n${notify.join()}\n${recipient}`;
    if (seen.has(key)) return false;
    const count = reports.get(recipient) ?? 0;
    if (count >= MAX_REPORTS_OF_RECIPIENT) {
      over++;
      return false;
    }
    seen.add(key);
    reports.set(recipient, count + 1);
    return true;
  });
  if (over) {
    warning(
      `${queueId}: a recipient is named more than ${MAX_REPORTS_OF_RECIPIENT} times: ${over} are left out`,
    );
  }
  return once;
}

function fold(text: string): string {
  return text.toLowerCase();
}
