/**
 * Where a recipient goes: a destination of some transport, or an outcome at once where no agent is needed (reference
 * 2.2, 4.9). Nothing that the network side said about routing is believed: rewrite is asked for each recipient.
 */

import { PeerError, reason } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import {
  external,
  isDoubleBounce,
  localPartOf,
  splitExtension,
} from "../../shared/mail/address.ts";
import type { Delivery } from "../../shared/log/lines.ts";
import type { Outcome } from "../../shared/mail/envelope.ts";
import { splitStatus } from "../../shared/mail/status_text.ts";
import type { Resolved } from "../../shared/protocols/rewrite.ts";
import { sleep } from "../../shared/timer.ts";
import type { NumberedRecipient } from "./active_message.ts";
import type { Group } from "./scheduler/scheduler.ts";

/** Asks rewrite, or its cache: a fresh answer comes without a promise. */
export interface Resolver {
  resolve(sender: string, address: string): Resolved | Promise<Resolved>;
}

/** For an agent: `recipient` is the address as it is delivered, `key` the name of the destination. */
export interface ToAgent {
  readonly transport: string;
  readonly nexthop: string;
  readonly key: string;
  readonly recipient: string;
}

/** What becomes of a recipient at once, without an agent. */
export type Decided =
  & Pick<Outcome, "status" | "dsn" | "text" | "success">
  & { readonly recipient: string }
  & Pick<Delivery, "agent">;

export type Route = ToAgent | Decided;

export interface RouterSettings {
  readonly deferTransports: ReadonlySet<string>;
  /** The local part of the sender of notifications that are never answered. */
  readonly doubleBounceSender: string;
  readonly recipientDelimiter: string;
  /** One recipient a delivery: each recipient is a destination of its own. */
  isPerRecipient(transport: string): boolean;
}

/** rewrite may be just starting again: a question is asked so often before its mail is deferred. */
const ATTEMPTS = 3;
const PAUSE_MS = 500;

export class Router {
  constructor(readonly resolver: Resolver, public settings: RouterSettings) {}

  /** The route of one recipient; a promise only when rewrite has to be asked. */
  route(sender: string, address: string): Route | Promise<Route> {
    if (!address) {
      return decided("bounced", "5.1.3", "null recipient address", "");
    }
    const resolved = this.#resolve(sender, address);
    return resolved instanceof Promise
      ? resolved.then(
        (resolved) => this.#decide(address, resolved),
        (error) => failed(address, error),
      )
      : this.#decide(address, resolved);
  }

  #resolve(sender: string, address: string): Resolved | Promise<Resolved> {
    const resolved = this.resolver.resolve(sender, address);
    return resolved instanceof Promise ? this.#again(resolved, sender, address) : resolved;
  }

  async #again(first: Promise<Resolved>, sender: string, address: string): Promise<Resolved> {
    let answer: Resolved | Promise<Resolved> = first;
    for (let attempt = 1;; attempt++) {
      try {
        return await answer;
      } catch (error) {
        if (!(error instanceof PeerError) || attempt === ATTEMPTS) throw error;
      }
      await sleep(PAUSE_MS);
      answer = this.resolver.resolve(sender, address);
    }
  }

  #decide(address: string, resolved: Resolved): Route {
    const { transport, nexthop, recipient } = resolved;
    if (resolved.fail) return failed(address, "a table failed");
    if (resolved.error) return decided("bounced", "5.1.3", "bad address syntax", recipient);
    if (transport === "error") return said("bounced", "5.0.0", nexthop, recipient);
    if (transport === "retry") return said("deferred", "4.0.0", nexthop, recipient);
    if (transport === "discard") {
      return { ...said("sent", "2.0.0", nexthop, recipient), agent: "discard" };
    }
    const { doubleBounceSender } = this.settings;
    if (resolved.class === "local" && isDoubleBounce(recipient, doubleBounceSender)) {
      const text = "undeliverable postmaster notification discarded";
      // Nobody has it: a report of success would go to whoever forged the sender.
      return { ...decided("sent", "2.0.0", text, recipient), success: "passed", agent: undefined };
    }
    if (this.settings.deferTransports.has(transport)) {
      return decided("deferred", "4.3.2", "deferred transport", recipient);
    }
    const key = this.settings.isPerRecipient(transport)
      ? `${this.#userOf(recipient)}@${nexthop}`.toLowerCase()
      : nexthop.toLowerCase();
    return { transport, nexthop, key, recipient };
  }

  #userOf(recipient: string): string {
    return splitExtension(localPartOf(recipient), this.settings.recipientDelimiter).user;
  }
}

function failed(address: string, error: unknown): Decided {
  warning(`resolve <${external(address)}>: ${reason(error)}`);
  return decided("deferred", "4.3.0", "address resolver failure", address);
}

/** What the nexthop of error, retry and discard says; the class of a status code is the transport's. */
function said(
  status: Outcome["status"],
  fallback: string,
  nexthop: string,
  recipient: string,
): Decided {
  const { dsn, text } = splitStatus(nexthop, fallback);
  return decided(status, dsn, text, recipient);
}

function decided(
  status: Outcome["status"],
  dsn: string,
  text: string,
  recipient: string,
): Decided {
  return { status, dsn, text, recipient, agent: "error" };
}

/** Recipients by transport and destination. */
export type Groups = Map<string, Map<string, Group & { recipients: NumberedRecipient[] }>>;

/** Adds a recipient to those of its destination. */
export function group(
  groups: Groups,
  { transport, nexthop, key }: ToAgent,
  recipient: NumberedRecipient,
): void {
  let destinations = groups.get(transport);
  if (!destinations) groups.set(transport, destinations = new Map());
  const known = destinations.get(key);
  if (known) known.recipients.push(recipient);
  else destinations.set(key, { nexthop, key, recipients: [recipient] });
}
