/**
 * bounce - tell senders what became of their mail.
 *
 * Makes a report (RFC 3464) of what qmgr says of a message's recipients, and
 * submits it like any other mail, with a sender that nobody answers.
 *
 * Trusts   nothing in a message: what is quoted stays inside its MIME part.
 * Talks to cleanup; answers qmgr's bounce.
 * Keeps    nothing.
 * Fails    a report that cleanup does not take is an error: qmgr asks again.
 */

import { answer } from "../../shared/ipc/server.ts";
import { queueIdSource } from "../../shared/mail/queue_id.ts";
import { bounceParameters } from "../../shared/parameters/bounce.ts";
import { bounceService } from "../../shared/protocols/bounce.ts";
import { cleanupService } from "../../shared/protocols/cleanup.ts";
import { role } from "../../shared/role/role.ts";
import { Notifier } from "./notifier.ts";

role({
  name: "bounce",
  parameters: bounceParameters,
  start({ params, client }) {
    const notifier = new Notifier(params, client(cleanupService), queueIdSource());
    return {
      answers: [
        answer(bounceService, {
          report: (report, { content }) => notifier.report(report, content),
        }),
      ],
    };
  },
});
