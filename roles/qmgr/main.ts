/**
 * qmgr - keep accepted mail and decide what is delivered next.
 *
 * Commits new messages to the queue, asks rewrite where each recipient goes, hands recipients to delivery agents, records
 * what became of them, and has bounce tell the sender. `active_queue.ts` has the main loop, `scheduler/` the choice of
 * what goes next, `shared/queue/` the store.
 *
 * Trusts   nothing in a message, and no agent blindly; only its own database.
 * Talks to rewrite, bounce, the delivery agents; answers intake, outcomes, queue, flush.
 * Keeps    queue.db, content files and space for a full disk in its directory: no other process writes them.
 * Fails    a full disk stops intake with 4xx, and nothing else; a damaged record goes to corrupt, or stays where it is if
 *          not even that can be written; what cannot be written while other changes can waits by itself.
 */

import { databaseDirectory } from "../../shared/layout.ts";
import { qmgrParameters } from "../../shared/parameters/qmgr.ts";
import { bounceService } from "../../shared/protocols/bounce.ts";
import { deliveryService } from "../../shared/protocols/delivery.ts";
import { rewriteService } from "../../shared/protocols/rewrite.ts";
import { lockQueue } from "../../shared/queue/queue_lock.ts";
import { openStore } from "../../shared/queue/sqlite_store.ts";
import { RewriteCache } from "../../shared/rewrite_cache.ts";
import { type Context, role, type Running } from "../../shared/role/role.ts";
import type { DeliveryClient } from "./agents.ts";
import { GRACE_MS, Qmgr } from "./qmgr.ts";

type Parameters = typeof qmgrParameters;

role({ name: "qmgr", parameters: qmgrParameters, start });

async function start(context: Context<Parameters>): Promise<Running<Parameters>> {
  const directory = databaseDirectory(context.params.queueDirectory);
  // Kept until the process ends.
  await lockQueue(directory);
  const qmgr = new Qmgr({
    store: openStore(directory),
    directory,
    resolver: new RewriteCache(context.client(rewriteService)),
    bounce: context.client(bounceService),
    clientOf: agentClients(context),
    now: Date.now,
    steady: () => performance.timeOrigin + performance.now(),
    graceMs: GRACE_MS,
  }, context.params);
  await qmgr.start();
  return {
    answers: qmgr.answers,
    reload: (params) => qmgr.reload(params),
    drain: () => qmgr.drain(),
    stop: (ms) => qmgr.stop(ms),
  };
}

/** A client for each transport; throws BugError for a name that master.cf does not have. */
function agentClients(context: Context<Parameters>): (transport: string) => DeliveryClient {
  const clients = new Map<string, DeliveryClient>();
  return (transport) => {
    let client = clients.get(transport);
    if (!client) clients.set(transport, client = context.client(deliveryService(transport)));
    return client;
  };
}
