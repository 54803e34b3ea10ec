/**
 * outcomes: takes back from delivery agents what a former qmgr did not make durable (DESIGN 5), and gives them content
 * a second time.
 */

import { answer, type Answerer, Streamed } from "../../shared/ipc/server.ts";
import { outcomesService } from "../../shared/protocols/queue.ts";
import type { Claims } from "./claims.ts";
import type { Committer } from "./committer.ts";
import type { LentContent } from "./lent_content.ts";
import type { Lock } from "./lock.ts";
import type { QueueManager } from "./queue_manager.ts";

/** Answers `working` as long as it is so, `content` at once, and `report` when it is durable. */
export function answerOutcomes(
  manager: QueueManager,
  committer: Committer,
  claims: Claims,
  lent: LentContent,
  lock: Lock,
): Answerer {
  return answer(outcomesService, {
    async working({ queueId, recipients }, conversation) {
      await claims.claim(queueId, recipients, conversation.signal);
      return {};
    },
    async content({ contentKey }) {
      return new Streamed({}, await lent.read(contentKey));
    },
    async report({ queueId, outcomes }) {
      await lock.run(async () => {
        const message = manager.messages.get(queueId);
        if (message) await manager.report(message, outcomes);
        // Not in memory: the store takes outcomes of recipients that are still open, and of no others.
        else if (outcomes.length) await committer.change({ queueId, outcomes });
      });
      claims.reported(queueId, outcomes.map(({ n }) => n));
      return {};
    },
  });
}
