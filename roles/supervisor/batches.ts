/**
 * Roles work in batches (SCHED_BATCH, sched(7)): one that is given work does not interrupt whoever gives it, and finds more when
 * its turn comes. Where a processor is shared, that spares changes between roles, each of which begins with cold caches.
 */

import { libc } from "./libc.ts";

const THIS_THREAD = 0;
const SCHED_OTHER = 0, SCHED_BATCH = 3;
/** struct sched_param: a priority, which batches do not have. */
const NO_PRIORITY = new Int32Array([0]);

/** This thread, and what it starts from now on, works in batches, unless somebody has chosen another way for the whole system. */
export function workInBatches(): void {
  const { sched_getscheduler, sched_setscheduler } = libc();
  if (sched_getscheduler(THIS_THREAD) !== SCHED_OTHER) return;
  sched_setscheduler(THIS_THREAD, SCHED_BATCH, NO_PRIORITY);
}
