/**
 * smtp - deliver mail to other systems, by SMTP or LMTP.
 *
 * Finds the servers of a destination, tries them in order, and reports what
 * became of each recipient. Sessions are kept open while more mail is likely.
 *
 * Trusts   nobody: a server's replies are bounded, and speak for nothing but the command they answer.
 * Talks to dns, outcomes, other people's servers; answers delivery.
 * Keeps    open sessions for seconds, outcomes until qmgr has committed them.
 * Fails    what does not work now is deferred; only a server's 5xx, or a domain that is not there or leads back here, bounces.
 */

import { deliveryAnswerer, handed } from "../../shared/delivery/agent.ts";
import { smtpParameters, smtpSettings } from "../../shared/parameters/smtp.ts";
import { dnsService } from "../../shared/protocols/dns.ts";
import { outcomesService } from "../../shared/protocols/queue.ts";
import { role } from "../../shared/role/role.ts";
import { Deliverer } from "./deliver.ts";
import { asker } from "./asker.ts";

role({
  name: "smtp",
  parameters: smtpParameters,
  start(context) {
    const settings = smtpSettings(context.params, context.role === "lmtp" ? "lmtp" : "smtp");
    const outcomes = context.client(outcomesService);
    const deliverer = new Deliverer(
      settings,
      asker(context.client(dnsService)),
      async (request) => (await outcomes.call("content", handed(request))).content,
    );
    const agent = deliveryAnswerer(
      context.service,
      outcomes,
      (request, content) => deliverer.deliver(request, content),
    );
    return {
      answers: [agent],
      busy: () => deliverer.pool.size > 0,
      drain() {
        deliverer.pool.close();
        return Promise.resolve();
      },
    };
  },
});
