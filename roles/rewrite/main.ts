/**
 * rewrite - say what an address means here, and where it goes.
 *
 * Brings addresses to standard form, resolves recipients to transport and next hop, and looks addresses up in the
 * configured tables for the roles that may not read them.
 *
 * Trusts   nothing in an address; the configuration and its tables, as far as they can be read.
 * Talks to nobody; answers rewrite for smtpd, cleanup, qmgr and virtual.
 * Keeps    the tables in memory, read again within a second of a change.
 * Fails    a table that cannot be read makes its lookups fail: clients hear 4xx, mail waits, nothing bounces.
 */

import { StorageError } from "../../shared/errors.ts";
import { answer } from "../../shared/ipc/server.ts";
import { rewriteParameters } from "../../shared/parameters/rewrite.ts";
import { LOOKUP_PARAMETERS, rewriteService } from "../../shared/protocols/rewrite.ts";
import { role } from "../../shared/role/role.ts";
import { lookupAlias, lookupMailbox } from "./lookup.ts";
import { recipient } from "./recipient.ts";
import { resolve } from "./resolve.ts";
import { rewrite } from "./rewrite.ts";
import { Settings } from "./settings.ts";
import { run, type Steps } from "./steps.ts";

role({
  name: "rewrite",
  parameters: rewriteParameters,
  start({ params }) {
    const settings = new Settings(params);
    return { answers: [answers(settings)] };
  },
});

/** Answers the four questions of shared/protocols/rewrite.ts. */
function answers(settings: Settings) {
  return answer(rewriteService, {
    // deno-lint-ignore require-await
    rewrite: async ({ context, address }) => ({
      address: rewrite(settings.params, context, address),
    }),
    resolve: async ({ sender, address }) => await resolve(settings, sender, address),
    recipient: async ({ sender, address }) => await recipient(settings, sender, address),
    async lookup({ parameter, address }) {
      try {
        return { value: await run(lookup(settings, parameter, address)), fail: false };
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        return { value: null, fail: true };
      }
    },
  });
}

function lookup(
  settings: Settings,
  parameter: typeof LOOKUP_PARAMETERS[number],
  address: string,
): Steps<string | null> {
  switch (parameter) {
    case "virtual_alias_maps":
      return lookupAlias(settings, address);
    case "virtual_mailbox_maps":
      return lookupMailbox(settings, settings.virtualMailboxMaps, address);
    case "virtual_uid_maps":
      return lookupMailbox(settings, settings.virtualUidMaps, address);
    case "virtual_gid_maps":
      return lookupMailbox(settings, settings.virtualGidMaps, address);
  }
}
