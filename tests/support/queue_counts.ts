/** How many messages are in each queue. */

import type { QueueName, QueueReader } from "../../shared/queue/store.ts";

/** What a listing shows; damaged messages count as corrupt wherever they are. */
export async function countsOf(
  store: Pick<QueueReader, "list">,
): Promise<Record<QueueName, number>> {
  const counts = { incoming: 0, active: 0, deferred: 0, hold: 0, corrupt: 0 };
  for await (const { queue_name } of store.list()) counts[queue_name]++;
  return counts;
}
