/** What anvil answers. */

import type { Handlers } from "../../shared/ipc/server.ts";
import type { anvilService } from "../../shared/protocols/anvil.ts";
import type { Counts } from "./counts.ts";

export function handlers(counts: Counts): Handlers<typeof anvilService.calls> {
  return {
    // deno-lint-ignore require-await
    async connect({ service, client }, { settled }) {
      // Settled, or the asking process is gone: either way the connection is over.
      settled.then(() => counts.disconnect(service, client));
      return counts.connect(service, client);
    },
    // deno-lint-ignore require-await
    async event({ service, client, kind, amount }) {
      return { rate: counts.event(service, client, kind, amount) };
    },
  };
}
