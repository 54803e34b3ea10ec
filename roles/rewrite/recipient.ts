/** What smtpd must know at RCPT: where a recipient goes, and whether its class lists it (reference 5.1). */

import { StorageError } from "../../shared/errors.ts";
import { isDoubleBounce, localPartOf } from "../../shared/mail/address.ts";
import type { Resolved } from "../../shared/protocols/rewrite.ts";
import type { TableList } from "../../shared/table/table.ts";
import { findAddress, type Kind } from "./lookup.ts";
import { resolve } from "./resolve.ts";
import { rewrite } from "./rewrite.ts";
import type { Settings } from "./settings.ts";
import { type MaybePromise, run, type Steps } from "./steps.ts";

export type Listed = "yes" | "no" | "any" | "error" | "fail";

export interface Recipient {
  readonly resolved: Resolved;
  readonly listed: Listed;
}

/** The recipient in standard form, resolved, and looked for in the tables of its class. */
export function recipient(
  settings: Settings,
  sender: string,
  address: string,
): MaybePromise<Recipient> {
  const resolved = resolve(settings, sender, rewrite(settings.params, "local", address));
  return resolved instanceof Promise
    ? resolved.then((resolved) => judge(settings, resolved, address))
    : judge(settings, resolved, address);
}

function judge(settings: Settings, resolved: Resolved, given: string): MaybePromise<Recipient> {
  const unable = (error: unknown): Recipient => {
    if (!(error instanceof StorageError)) throw error;
    return { resolved, listed: "fail" };
  };
  try {
    const listed = run(listedSteps(settings, resolved, given));
    return listed instanceof Promise
      ? listed.then((listed) => ({ resolved, listed }), unable)
      : { resolved, listed };
  } catch (error) {
    return unable(error);
  }
}

function* listedSteps(settings: Settings, resolved: Resolved, given: string): Steps<Listed> {
  if (resolved.fail) return "fail";
  if (resolved.error) return "any";
  const refuses = resolved.transport === "error" || resolved.transport === "retry";
  if (refuses && resolved.class !== "alias") {
    // An alias goes elsewhere.
    return (yield* has(settings, settings.virtualAliasMaps, resolved, "full")) ? "yes" : "error";
  }
  if (resolved.class === "default") return "any";
  // RFC 5321 4.5.1: postmaster is always there, without a domain and with each of our own.
  const local = resolved.class === "local" ? localPartOf(resolved.recipient) : given;
  if (local.toLowerCase() === "postmaster") return "yes";
  // Answers to our own notifications are taken, and thrown away behind the queue.
  const { doubleBounceSender } = settings.params;
  if (resolved.class === "local" && isDoubleBounce(resolved.recipient, doubleBounceSender)) {
    return "yes";
  }
  const list = listOf(settings, resolved);
  if (list?.tables.empty) return "any";
  if (list && (yield* has(settings, list.tables, resolved, list.kind))) return "yes";
  return (yield* has(settings, settings.virtualAliasMaps, resolved, "full")) ? "yes" : "no";
}

/** The tables with all recipients of a class, beside virtual_alias_maps, which hold aliases of every class. */
function listOf(
  settings: Settings,
  { class: kind }: Resolved,
): { tables: TableList; kind: Kind } | undefined {
  switch (kind) {
    case "local":
      return { tables: settings.localRecipientMaps, kind: "full" };
    case "virtual":
      return { tables: settings.virtualMailboxMaps, kind: "address" };
    case "relay":
      return { tables: settings.relayRecipientMaps, kind: "full" };
  }
}

function* has(
  settings: Settings,
  tables: TableList,
  { recipient }: Resolved,
  kind: Kind,
): Steps<boolean> {
  return (yield* findAddress(settings, tables, recipient, kind)) !== undefined;
}
