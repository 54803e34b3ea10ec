/** Parameters of virtual: where mailboxes are, and whose. */

import { int, limit } from "./declare.ts";
import { identity, sizes } from "./global.ts";
import { path } from "./parsers.ts";
import { rewriteParameters } from "./rewrite.ts";

const mailboxes = {
  virtualMailboxBase: path("virtual_mailbox_base", "", {
    optional: true,
    doc: "The directory that every virtual mailbox is below.",
  }),
  virtualMailboxLimit: limit("virtual_mailbox_limit", "51200000", {
    doc: "The largest Maildir file, in bytes; 0 is no limit.",
  }),
  virtualMinimumUid: int("virtual_minimum_uid", "100", {
    min: 1,
    doc: "The smallest user id that virtual_uid_maps may give.",
  }),
};

/**
 * Who owns every mailbox, from the text of virtual_uid_maps and virtual_gid_maps; undefined unless both are one `static:`
 * table. Where the system is started as root, virtual is that user, and has no rights beyond his.
 */
export function onlyOwner(
  uidMaps: string,
  gidMaps: string,
): { readonly uid: number; readonly gid: number } | undefined {
  const fixed = (maps: string) => /^static:\{?\s*([0-9]+)\s*\}?$/.exec(maps)?.[1];
  const uid = fixed(uidMaps), gid = fixed(gidMaps);
  return uid === undefined || gid === undefined
    ? undefined
    : { uid: Number(uid), gid: Number(gid) };
}

export const virtualParameters = {
  myhostname: identity.myhostname,
  messageSizeLimit: sizes.messageSizeLimit,
  virtualUidMaps: rewriteParameters.virtualUidMaps,
  virtualGidMaps: rewriteParameters.virtualGidMaps,
  ...mailboxes,
};
