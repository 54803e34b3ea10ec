/** Where a recipient's mail goes, and whose it is: what the tables say, believed only as far as it is safe. */

import process from "node:process";
import { hasControl } from "../../shared/bytes.ts";
import { reason } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import type { Values } from "../../shared/parameters/declare.ts";
import { onlyOwner, type virtualParameters } from "../../shared/parameters/virtual.ts";
import type { LookupParameter, RewriteCache } from "../../shared/rewrite_cache.ts";
import { lowerCase } from "../../shared/smtp/keyword.ts";
import type { Owner } from "./owner.ts";

export type Params = Values<typeof virtualParameters>;
export type Lookups = Pick<RewriteCache, "lookup">;

/** A Maildir below virtual_mailbox_base. */
export interface Mailbox {
  readonly components: readonly string[];
  readonly owner: Owner | undefined;
}

/** Why there is none. */
export interface NoMailbox {
  readonly status: "deferred" | "bounced";
  readonly dsn: string;
  readonly text: string;
}

/** Directories below the base: deeper is a mistake in the table. */
const MAX_DEPTH = 32;
const MAX_NAME_BYTES = 255;
/** The largest user or group id; the one above means "no change" to chown. */
const MAX_ID = 2 ** 32 - 2;

/** The mailbox of a recipient, from virtual_mailbox_maps, virtual_uid_maps and virtual_gid_maps. */
export async function findMailbox(
  params: Params,
  lookups: Lookups,
  recipient: string,
): Promise<Mailbox | NoMailbox> {
  // A pattern may put what it matched into the path: senders' capitals would make mailboxes that nobody reads.
  const address = lowerCase(recipient);
  try {
    const path = await look(lookups, "virtual_mailbox_maps", address);
    if (path === null) {
      return { status: "bounced", dsn: "5.1.1", text: `unknown user: "${recipient}"` };
    }
    if (!params.virtualMailboxBase.startsWith("/")) {
      throw new Misconfigured("virtual_mailbox_base: must be an absolute path");
    }
    const components = toComponents(path, address);
    return { components, owner: await findOwner(params, lookups, address) };
  } catch (error) {
    // A table that fails, or says what cannot be: mail waits until somebody has put it right.
    warning(reason(error));
    return error instanceof Misconfigured
      ? { status: "deferred", dsn: "4.3.5", text: error.forSender }
      : { status: "deferred", dsn: "4.3.0", text: "mailbox lookup failure" };
  }
}

/** A table holds what cannot be used. */
class Misconfigured extends Error {
  constructor(message: string, readonly forSender = "mail system configuration error") {
    super(message);
  }
}

async function look(
  lookups: Lookups,
  parameter: LookupParameter,
  address: string,
): Promise<string | null> {
  const { value, fail } = await lookups.lookup(parameter, address);
  if (fail) throw new Error(`${parameter}: table lookup problem for ${address}`);
  return value;
}

/** The names below the base, also where the path starts with a slash. Throws Misconfigured for all that could lead elsewhere. */
function toComponents(path: string, address: string): string[] {
  const refuse = (why: string) =>
    new Misconfigured(`virtual_mailbox_maps: ${why} for ${address}: ${JSON.stringify(path)}`);
  if (!path.endsWith("/")) {
    throw new Misconfigured(
      `virtual_mailbox_maps: mbox delivery is not built yet, use a Maildir (a path that ends in /) ` +
        `for ${address}: ${JSON.stringify(path)}`,
      "mbox delivery is not built yet",
    );
  }
  if (hasControl(path)) throw refuse("control character in path");
  const components = path.split("/").filter((name) => name !== "" && name !== ".");
  if (components.includes("..")) throw refuse("path that leads up");
  if (!components.length) throw refuse("empty path");
  if (components.length > MAX_DEPTH) throw refuse("too deep a path");
  const encoder = new TextEncoder();
  if (components.some((name) => encoder.encode(name).length > MAX_NAME_BYTES)) {
    throw refuse("too long a name");
  }
  return components;
}

/**
 * Whose the mailbox is; undefined where it is whose this process is: without virtual_uid_maps, and with one owner of all
 * mailboxes. He can do no more by links in his directories than he can do without us.
 */
async function findOwner(
  params: Params,
  lookups: Lookups,
  address: string,
): Promise<Owner | undefined> {
  if (!params.virtualUidMaps.length) return undefined;
  const uid = await findId(lookups, "virtual_uid_maps", address, params.virtualMinimumUid);
  const gid = await findId(lookups, "virtual_gid_maps", address, 1);
  const only = onlyOwner(params.virtualUidMaps.join(" "), params.virtualGidMaps.join(" "));
  return only?.uid === process.getuid!() ? undefined : { uid, gid };
}

async function findId(
  lookups: Lookups,
  parameter: "virtual_uid_maps" | "virtual_gid_maps",
  address: string,
  minimum: number,
): Promise<number> {
  const text = await look(lookups, parameter, address);
  const refuse = (why: string) => new Misconfigured(`${parameter}: ${why} for ${address}`);
  if (text === null) throw refuse("nothing found");
  const id = /^[0-9]{1,10}$/.test(text) ? Number(text) : NaN;
  if (!(id >= minimum && id <= MAX_ID)) {
    throw refuse(`must be a number from ${minimum}: is ${JSON.stringify(text.slice(0, 100))}`);
  }
  return id;
}
