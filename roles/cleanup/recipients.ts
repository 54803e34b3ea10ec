/**
 * Envelope recipients: to standard form, through the virtual aliases, each at most once (reference 5.4). A short message can
 * name a large alias a thousand times: recipients are expanded one after another, and only those that stay take memory.
 */

import type { Share } from "../../shared/budget.ts";
import { warning } from "../../shared/log/log.ts";
import { MAX_RECIPIENTS, type Recipient } from "../../shared/mail/envelope.ts";
import type { Lookup } from "../../shared/rewrite_cache.ts";
import { Refusal } from "../../shared/smtp/refusal.ts";
import { type Addresses, Aliases, fold, isAlias, type Params } from "./aliases.ts";
import { Pace } from "./pace.ts";
import { ALIAS_ERROR, CROWDED, NO_RECIPIENTS } from "./refusal.ts";

/** So many recipients are asked for at once; the others of a message wait. */
const MAX_ASKED = 100;
/** A recipient that stays costs about so much beside its text. */
const RECIPIENT_BYTES = 512;
/**
 * A recipient that a client names again for another report is delivered to again: so often, and no more. Without this a
 * thousand ORCPTs would store a message a thousand times for whoever sent it once.
 */
const MAX_REPORTS_OF_RECIPIENT = 50;

/** A recipient in standard form, and what virtual_alias_maps has of it. */
interface Asked {
  readonly address: string;
  /** Undefined when it is no alias. */
  readonly found: Lookup | undefined;
}

/** What the queue gets. */
interface Expanded {
  readonly recipients: Recipient[];
  /** Aliases whose sender asked to hear of successes: he hears of these, and not from their members. */
  readonly expanded: Recipient[];
}

export class RecipientRules {
  constructor(readonly params: Params, readonly addresses: Addresses) {}

  /** The recipients that the queue gets, which are held of `share`. Throws CallError when rewrite does not answer. */
  async treat(
    queueId: string,
    recipients: readonly Recipient[],
    share: Share,
  ): Promise<Expanded | Refusal> {
    const named = recipients.length === 1 ? recipients : eachNamedOnce(recipients);
    const pace = new Pace();
    let aliases: Aliases | undefined;
    const once = new Once();
    for (let at = 0; at < named.length; at += MAX_ASKED) {
      const some = named.slice(at, at + MAX_ASKED);
      const asking = some.map(({ address }) => this.#ask(address));
      const waits = asking.some((each) => each instanceof Promise);
      const asked = waits ? await Promise.all(asking) : asking as Asked[];
      for (let i = 0; i < some.length; i++) {
        const { address, found } = asked[i]!;
        if (found) aliases ??= new Aliases(this.params, this.addresses, queueId, pace);
        const expanded = found && aliases ? await aliases.follow(address, found) : [address];
        if (expanded instanceof Refusal) return expanded;
        if (!share.add(once.take(some[i]!, address, expanded))) return CROWDED;
        if (once.taken.length + once.expanded.length > MAX_RECIPIENTS) {
          warning(`${queueId}: over ${MAX_RECIPIENTS} recipients after alias expansion`);
          return ALIAS_ERROR;
        }
        const rest = pace.step(expanded.length);
        if (rest) await rest;
      }
    }
    if (once.leftOut) {
      const over = `a recipient is named more than ${MAX_REPORTS_OF_RECIPIENT} times`;
      warning(`${queueId}: ${over}: ${once.leftOut} are left out`);
    }
    const { taken, expanded } = once;
    return taken.length ? { recipients: taken, expanded } : NO_RECIPIENTS;
  }

  #ask(address: string): Asked | Promise<Asked> {
    const { addresses } = this;
    const standard = addresses.rewrite("local", address || this.params.emptyAddressRecipient);
    if (typeof standard !== "string") return standard.then((standard) => this.#look(standard));
    return this.#look(standard);
  }

  #look(address: string): Asked | Promise<Asked> {
    if (!this.params.virtualAliasMaps.length) return { address, found: undefined };
    const found = this.addresses.lookup("virtual_alias_maps", address);
    if (found instanceof Promise) return found.then((found) => answered(address, found));
    return answered(address, found);
  }
}

function answered(address: string, found: Lookup): Asked {
  return { address, found: isAlias(found) ? found : undefined };
}

/** Leaves out what is named again word for word. */
function eachNamedOnce(recipients: readonly Recipient[]): Recipient[] {
  const seen = new Set<string>();
  return recipients.filter(({ address, original, orcpt, notify }) => {
    const before = seen.size;
    return seen.add(`${address}\n${original}\n${orcpt}\n${notify.join()}`).size > before;
  });
}

/** Two copies for one mailbox help nobody, unless they came by different addresses or want different reports. */
class Once {
  readonly taken: Recipient[] = [];
  readonly expanded: Recipient[] = [];
  /** Those that came by one address too often. */
  leftOut = 0;
  /** By the address they came by, and the one that was taken: for which reports. */
  #seen = new Map<string, Map<string, string[]>>();

  /** Takes what a recipient, in standard form, is expanded into, as far as it is new; what that holds, in bytes. */
  take(named: Recipient, standard: string, addresses: readonly string[]): number {
    const isAlias = addresses.length > 1 || addresses[0] !== standard;
    if (!isAlias || !named.notify.includes("SUCCESS")) return this.#take(named, addresses);
    // RFC 3461 5.2.7: whoever writes to an alias hears that it was expanded, not to whom.
    this.expanded.push({ ...named, address: standard, notify: ["SUCCESS"] });
    const others = named.notify.filter((word) => word !== "SUCCESS");
    const member: Recipient = { ...named, notify: others.length ? others : ["NEVER"] };
    return bytesOf(named, standard) + this.#take(member, addresses);
  }

  #take(recipient: Recipient, addresses: readonly string[]): number {
    const { original, orcpt, notify } = recipient;
    const name = fold(original), report = `${fold(orcpt)}\n${notify.join()}`;
    let seen = this.#seen.get(name);
    if (!seen) this.#seen.set(name, seen = new Map());
    let bytes = 0;
    for (const address of addresses) {
      const key = fold(address), reports = seen.get(key);
      if (!reports) seen.set(key, [report]);
      else if (reports.includes(report)) continue;
      else if (reports.length < MAX_REPORTS_OF_RECIPIENT) reports.push(report);
      else {
        this.leftOut++;
        continue;
      }
      this.taken.push({ ...recipient, address });
      bytes += bytesOf(recipient, address);
    }
    return bytes;
  }
}

function bytesOf({ original, orcpt }: Recipient, address: string): number {
  return RECIPIENT_BYTES + address.length + original.length + orcpt.length;
}
