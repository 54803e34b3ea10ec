/**
 * Looking up addresses in tables: which keys, in which order (reference 5.4). A key is asked in all tables before the
 * next one is; keys that are only a part of the address are not shown to pattern tables.
 */

import { domainOf, external, localPartOf, splitExtension } from "../../shared/mail/address.ts";
import type { TableList } from "../../shared/table/table.ts";
import type { Params, Settings } from "./settings.ts";
import { need, type Steps } from "./steps.ts";

/** A value, and the extension of the address that its key did not have. */
export interface Found {
  readonly value: string;
  readonly extension: string;
}

/** The local part without and with its extension. */
export function split(params: Params, address: string): { user: string; extension: string } {
  return splitExtension(
    localPartOf(address),
    params.recipientDelimiter,
    params.ownerRequestSpecial,
  );
}

/** `full`: also user+ext and user alone where the domain is ours, and `@domain`. `address`: no bare users. */
export type Kind = "full" | "address";

/** The first value of the address: user+ext@dom, user@dom, user+ext, user, @dom. */
export function* findAddress(
  settings: Settings,
  tables: TableList,
  address: string,
  kind: Kind,
): Steps<Found | undefined> {
  if (tables.empty || !address) return undefined;
  const { user, extension } = split(settings.params, address);
  const domain = domainOf(address);
  const at = address.slice(localPartOf(address).length);
  let value = yield* ask(tables, address, false);
  if (value !== null) return { value, extension: "" };
  if (extension && (value = yield* ask(tables, user + at, true)) !== null) {
    return { value, extension };
  }
  if (kind === "full" && at && (yield* isOurs(settings, domain))) {
    value = yield* ask(tables, user + extension, true);
    if (value !== null) return { value, extension: "" };
    if (extension && (value = yield* ask(tables, user, true)) !== null) return { value, extension };
  }
  value = at ? yield* ask(tables, at, true, true) : null;
  // Whoever takes all mail of a domain need not know the extensions of its users.
  return value === null ? undefined : { value, extension: "" };
}

/** The key in external form, which is what people write into tables, then as it is, for old tables. */
function* ask(
  tables: TableList,
  key: string,
  partial: boolean,
  plain = false,
): Steps<string | null> {
  const quoted = plain ? key : external(key);
  const value = yield* need(tables.lookup(quoted, partial));
  if (value !== null || quoted === key) return value;
  return yield* need(tables.lookup(key, partial));
}

/** Bare user names in tables stand for users here. */
function* isOurs(settings: Settings, domain: string): Steps<boolean> {
  if (domain === settings.params.myorigin.toLowerCase()) return true;
  return yield* need(settings.isLocal(domain));
}

/** What virtual_alias_maps have of the address, and the extension that each address of the value is to get, if any. */
export function* lookupAlias(
  settings: Settings,
  address: string,
): Steps<{ value: string | null; extension?: string }> {
  const found = yield* findAddress(settings, settings.virtualAliasMaps, address, "full");
  if (!found) return { value: null };
  return found.extension && settings.propagateVirtual ? found : { value: found.value };
}

/** What a table of virtual mailboxes, users or groups has: a path or number, taken as it is. */
export function* lookupMailbox(
  settings: Settings,
  tables: TableList,
  address: string,
): Steps<{ value: string | null }> {
  const found = yield* findAddress(settings, tables, address, "address");
  return { value: found?.value ?? null };
}
