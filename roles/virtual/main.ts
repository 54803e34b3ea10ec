/**
 * virtual - deliver to the mailboxes of virtual domains.
 *
 * Finds each recipient's Maildir and its owner in the tables, writes the
 * message there, and answers when it is on disk.
 *
 * Trusts   nothing in a message; of what tables say only paths below virtual_mailbox_base.
 * Talks to rewrite, for the tables; answers qmgr's deliveries.
 * Keeps    the Maildirs below virtual_mailbox_base; outcomes until qmgr has them.
 * Fails    a failing table or disk defers mail; a full mailbox and an unknown user bounce it.
 */

import { deliveryAnswerer } from "../../shared/delivery/agent.ts";
import { virtualParameters } from "../../shared/parameters/virtual.ts";
import { outcomesService } from "../../shared/protocols/queue.ts";
import { rewriteService } from "../../shared/protocols/rewrite.ts";
import { RewriteCache } from "../../shared/rewrite_cache.ts";
import { role } from "../../shared/role/role.ts";
import { VirtualDelivery } from "./deliver.ts";

role({
  name: "virtual",
  parameters: virtualParameters,
  start({ service, params, client }) {
    const virtual = new VirtualDelivery(params, new RewriteCache(client(rewriteService)));
    return {
      answers: [
        deliveryAnswerer(
          service,
          client(outcomesService),
          (request, content) => virtual.deliver(request, content),
        ),
      ],
    };
  },
});
