/** A session's services as the other roles answer them. */

import { Budget } from "../../shared/budget.ts";
import { reason } from "../../shared/errors.ts";
import type { Client } from "../../shared/ipc/client.ts";
import { warning } from "../../shared/log/log.ts";
import { queueIdSource } from "../../shared/mail/queue_id.ts";
import { anvilService } from "../../shared/protocols/anvil.ts";
import { cleanupService } from "../../shared/protocols/cleanup.ts";
import { type DnsAnswer, dnsService } from "../../shared/protocols/dns.ts";
import { bodiesService } from "../../shared/protocols/queue.ts";
import { rewriteService } from "../../shared/protocols/rewrite.ts";
import { RewriteCache } from "../../shared/rewrite_cache.ts";
import { sleep } from "../../shared/timer.ts";
import { ClientNames } from "./client_names.ts";
import type { Anvil, Clock, Services } from "./services.ts";
import { Space } from "./space.ts";

export interface Clients {
  readonly cleanup: Client<typeof cleanupService.calls>;
  readonly bodies: Client<typeof bodiesService.calls>;
  readonly rewrite: Client<typeof rewriteService.calls>;
  readonly dns: Client<typeof dnsService.calls>;
  readonly anvil: Client<typeof anvilService.calls>;
}

/** What recipients of all sessions may take of memory, beyond what each session always may. */
const RECIPIENTS_BYTES = 64 * 1024 * 1024;
const FREE_RECIPIENTS_BYTES = 16 * 1024;

const clock: Clock = {
  now: Date.now,
  steady: () => performance.now(),
  sleep,
};

/** The services of this process; `service` is its name in master.cf. */
export function services(clients: Clients, service: string, peerNames: boolean): Services {
  const rewrite = new RewriteCache(clients.rewrite);
  const query: Services["query"] = (name, type) =>
    clients.dns.call("query", { name, type })
      .then(({ reply }) => reply, (error): DnsAnswer => failed(reason(error)));
  const names = new ClientNames(query, clock);
  return {
    clock,
    anvil: anvil(clients.anvil, service),
    space: new Space(),
    recipients: new Budget("recipients", RECIPIENTS_BYTES, FREE_RECIPIENTS_BYTES),
    recipient: (sender, address) => rewrite.recipient(sender, address),
    submit: async (envelope, recipients, content, local, body) => {
      const message = { envelope, recipients, local, fullName: "" };
      const request = body === undefined ? message : { ...message, body };
      const { reply } = await clients.cleanup.call("submit", request, content);
      return reply;
    },
    keepBody: async (queueId, key, body) => {
      const { settle } = await clients.bodies.call("keep", { queueId, key }, body);
      return settle;
    },
    query,
    peerName: (address) => peerNames ? names.lookup(address) : "unknown",
    queueId: queueIdSource(),
  };
}

function failed(text: string): DnsAnswer {
  return { status: "fail", text: text.slice(0, 500), records: [], secure: false, ttl: 0 };
}

function anvil(client: Clients["anvil"], service: string): Anvil {
  const quiet = (error: unknown) => warning(`cannot count clients: ${reason(error)}`);
  return {
    connect: (network) =>
      client.call("connect", { service, client: network }).then(
        ({ reply, settle }) => ({ ...reply, disconnect: settle }),
        (error) => (quiet(error), { connections: 0, rate: 0, disconnect: () => {} }),
      ),
    event: (network, kind) =>
      client.call("event", { service, client: network, kind, amount: 1 })
        .then(({ reply }) => reply.rate, (error) => (quiet(error), 0)),
  };
}
