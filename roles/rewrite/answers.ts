/** The questions of shared/protocols/rewrite.ts and where each is answered. */

import { StorageError } from "../../shared/errors.ts";
import { answer, type Answerer } from "../../shared/ipc/server.ts";
import { warning } from "../../shared/log/log.ts";
import { external } from "../../shared/mail/address.ts";
import {
  type LOOKUP_PARAMETERS,
  MAX_VALUE_LENGTH,
  rewriteService,
} from "../../shared/protocols/rewrite.ts";
import { lookupAlias, lookupMailbox } from "./lookup.ts";
import { recipient } from "./recipient.ts";
import { resolve } from "./resolve.ts";
import { rewrite } from "./rewrite.ts";
import type { Settings } from "./settings.ts";
import { run, type Steps } from "./steps.ts";

/** Answers from these settings; what a table cannot tell is `fail`, never an error of the call. */
export function answers(settings: Settings): Answerer {
  return answer(rewriteService, {
    // deno-lint-ignore require-await
    rewrite: async ({ context, address }) => ({
      address: rewrite(settings.params, context, address),
    }),
    resolve: async ({ sender, address }) => await resolve(settings, sender, address),
    recipient: async ({ sender, address }) => await recipient(settings, sender, address),
    async lookup({ parameter, address }) {
      try {
        const found = await run(lookup(settings, parameter, address));
        if (found.value === null || found.value.length <= MAX_VALUE_LENGTH) {
          return { ...found, fail: false };
        }
        const has = `has more than ${MAX_VALUE_LENGTH} characters`;
        warning(`${parameter}: result for ${external(address)} ${has}`);
        return { value: null, fail: true };
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
): Steps<{ value: string | null; extension?: string }> {
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
