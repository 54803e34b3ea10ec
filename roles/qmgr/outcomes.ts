/**
 * outcomes: takes back from delivery agents what a former qmgr did not make durable (DESIGN 5), and gives them content
 * a second time.
 */

import { PeerError, reason } from "../../shared/errors.ts";
import { answer, type Answerer } from "../../shared/ipc/server.ts";
import type { Envelope, Outcome } from "../../shared/mail/envelope.ts";
import { isFitting } from "../../shared/mail/verify.ts";
import { outcomesService } from "../../shared/protocols/queue.ts";
import { DamagedRecord, type QueueReader } from "../../shared/queue/store.ts";
import type { ActiveQueue } from "./active_queue.ts";
import type { Claims } from "./claims.ts";
import type { Committer } from "./committer.ts";
import type { Mutex } from "./mutex.ts";
import type { Seals } from "./seals.ts";
import { SecondContents } from "./second_contents.ts";

/** Answers `working` as long as it is so, `content` at once if there is room, and `report` when it is durable. */
export function answerOutcomes(
  activeQueue: ActiveQueue,
  store: Pick<QueueReader, "content" | "find">,
  committer: Committer,
  claims: Claims,
  seals: Seals,
  mutex: Mutex,
): Answerer {
  const contents = new SecondContents(store);
  return answer(outcomesService, {
    async working(handed, conversation) {
      seals.check(handed);
      await claims.claim(handed.queueId, handed.recipients, conversation.signal);
      return {};
    },
    async content(handed) {
      seals.check(handed);
      return await contents.answer(handed);
    },
    async report({ handed, outcomes }) {
      seals.check(handed);
      const { queueId } = handed, theirs = new Set(handed.recipients);
      if (!outcomes.every(({ n }) => theirs.has(n))) {
        throw new PeerError(`${queueId}: outcomes of recipients that were not handed over`);
      }
      const { durable } = await mutex.run(async () => {
        const message = activeQueue.messages.get(queueId);
        const envelope = message?.envelope ?? await storedEnvelope(store, queueId);
        if (envelope && !outcomes.every((each) => isFitting(envelope, each))) {
          throw new PeerError(`${queueId}: outcomes that are not of this kind of message`);
        }
        // The next in turn need not wait for the disk: changes of one message are made in the order in which they come.
        if (message) return { durable: activeQueue.report(message, outcomes) };
        // Not in memory: the store takes outcomes of recipients that are still open, and of no others.
        return { durable: outcomes.length ? record(committer, queueId, outcomes) : undefined };
      });
      await durable;
      claims.reported(queueId, outcomes.map(({ n }) => n));
      if (!outcomes.length) claims.dropped(queueId, handed.recipients);
      return {};
    },
  });
}

/** Makes outcomes durable now; throws StorageError when the agent has to say them again, PeerError for a damaged record. */
async function record(
  committer: Committer,
  queueId: string,
  outcomes: readonly Outcome[],
): Promise<void> {
  const failure = await committer.changeOnce({ queueId, outcomes });
  if (failure instanceof DamagedRecord) throw new PeerError(`${queueId}: ${reason(failure)}`);
  if (failure) throw failure;
}

/** The envelope of a message that is not in memory; undefined when there is none. Throws PeerError for a damaged one. */
async function storedEnvelope(
  store: Pick<QueueReader, "find">,
  queueId: string,
): Promise<Envelope | undefined> {
  try {
    return (await store.find(queueId))?.envelope;
  } catch (error) {
    if (!(error instanceof DamagedRecord)) throw error;
    // Asking again would not help; when an operator has mended it, its recipients are tried again.
    throw new PeerError(`${queueId}: ${reason(error)}`);
  }
}
