/** queue: what operators do to mail. Active messages are changed here, all others in the store. */

import { answer, type Answerer } from "../../shared/ipc/server.ts";
import { queueService, type Which } from "../../shared/protocols/queue.ts";
import type { QueueStore } from "../../shared/queue/store.ts";
import type { Disposition } from "./active_message.ts";
import type { ActiveQueue } from "./active_queue.ts";
import type { Feeder } from "./feed.ts";
import type { Mutex } from "./mutex.ts";

/** Answers the commands of postsuper; each reply says how many messages it concerned. */
export function answerQueue(
  activeQueue: ActiveQueue,
  store: QueueStore,
  feeder: Feeder,
  mutex: Mutex,
): Answerer {
  /** The running deliveries of an active message go on; what is to become of it is done when they have ended. */
  const judge = (which: Which, disposition: Disposition): number => {
    const ids = which === "ALL" ? [...activeQueue.messages.keys()] : new Set(which);
    let count = 0;
    for (const id of ids) {
      const message = activeQueue.messages.get(id);
      if (!message) continue;
      activeQueue.judge(message, disposition);
      count++;
    }
    return count;
  };
  const command = (work: () => Promise<number>) => mutex.run(async () => ({ count: await work() }));
  return answer(queueService, {
    hold: ({ which }) => command(async () => judge(which, "hold") + await store.hold(which)),
    delete: ({ which }) => command(async () => judge(which, "delete") + await store.remove(which)),
    release: ({ which }) =>
      command(async () => {
        const count = await store.release(which);
        feeder.want("incoming");
        return count;
      }),
    requeue: ({ which }) =>
      command(async () => {
        const count = judge(which, "requeue") + await store.requeue(which);
        feeder.want("incoming");
        return count;
      }),
  });
}
