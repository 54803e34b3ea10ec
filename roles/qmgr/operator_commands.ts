/** queue: what operators do to mail. Active messages are changed here, all others in the store. */

import { answer, type Answerer } from "../../shared/ipc/server.ts";
import { queueService, type Which } from "../../shared/protocols/queue.ts";
import type { QueueStore } from "../../shared/queue/store.ts";
import type { ActiveMessage, Disposition } from "./active_message.ts";
import type { ActiveQueue } from "./active_queue.ts";
import type { Feeder } from "./feed.ts";
import type { Mutex } from "./mutex.ts";

/** A message's last change is on the disk within this, unless the disk does not take it. */
const LEAVING_MS = 5000;

/** Answers the commands of postsuper; each reply says how many messages it concerned. */
export function answerQueue(
  activeQueue: ActiveQueue,
  store: QueueStore,
  feeder: Feeder,
  mutex: Mutex,
): Answerer {
  /**
   * The running deliveries of an active message go on; what is to become of it is done when they have ended. What an operator
   * heard of as deleted nothing else is done with.
   */
  const judge = async (
    which: Which,
    disposition: Disposition,
    concerns = (_: ActiveMessage) => true,
  ): Promise<number> => {
    const ids = which === "ALL" ? [...activeQueue.messages.keys()] : new Set(which);
    const late: ActiveMessage[] = [];
    let count = 0;
    for (const id of ids) {
      const message = activeQueue.messages.get(id);
      const isDeleted = message?.disposition === "delete" && disposition !== "delete";
      if (!message || isDeleted || !concerns(message)) continue;
      if (activeQueue.judge(message, disposition)) count++;
      else late.push(message);
    }
    // Where those go is just being written: the store finds them there.
    if (late.length) await leaving(late);
    return count;
  };
  const command = (work: () => Promise<number>) => mutex.run(async () => ({ count: await work() }));
  /** Whatever fails, what was changed is looked for. */
  const incoming = (work: () => Promise<number>) =>
    command(() => work().finally(() => feeder.want("incoming")));
  return answer(queueService, {
    hold: ({ which }) => command(async () => await judge(which, "hold") + await store.hold(which)),
    delete: ({ which }) =>
      command(async () => await judge(which, "delete") + await store.remove(which)),
    release: ({ which }) =>
      incoming(async () => {
        const isToBeHeld = ({ disposition }: ActiveMessage) => disposition === "hold";
        return await judge(which, "requeue", isToBeHeld) + await store.release(which);
      }),
    requeue: ({ which }) =>
      incoming(async () => await judge(which, "requeue") + await store.requeue(which)),
  });
}

/** Resolves when none of these messages is active any more; what the disk does not take is not waited for. */
async function leaving(messages: readonly ActiveMessage[]): Promise<void> {
  const { promise: tooLong, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LEAVING_MS);
  await Promise.race([tooLong, Promise.all(messages.map((each) => each.left))]);
  clearTimeout(timer);
}
