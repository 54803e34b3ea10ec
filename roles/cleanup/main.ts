/**
 * cleanup - make a message fit for the queue, and hand it over.
 *
 * Checks and completes the header section, brings addresses to standard form,
 * expands virtual aliases, and answers when the message is on disk.
 *
 * Trusts   nothing in a message; that its submitter put a Received header on top it checks.
 * Talks to rewrite and intake; answers cleanup.
 * Keeps    nothing: a message that is not in the queue was never accepted.
 * Fails    a failing table or queue is 451: the submitter keeps the message and tries again.
 */

import { answer } from "../../shared/ipc/server.ts";
import { cleanupParameters } from "../../shared/parameters/cleanup.ts";
import { cleanupService } from "../../shared/protocols/cleanup.ts";
import { intakeService } from "../../shared/protocols/queue.ts";
import { rewriteService } from "../../shared/protocols/rewrite.ts";
import { RewriteCache } from "../../shared/rewrite_cache.ts";
import { role } from "../../shared/role/role.ts";
import { Cleanup } from "./submit.ts";

role({
  name: "cleanup",
  parameters: cleanupParameters,
  start({ params, client }) {
    const addresses = new RewriteCache(client(rewriteService));
    const cleanup = new Cleanup(params, addresses, client(intakeService));
    return {
      answers: [
        answer(cleanupService, {
          submit: (submission, { content }) => cleanup.submit(submission, content),
        }),
      ],
    };
  },
});
