/**
 * How a small message overtakes a large one (reference 2.3): each delivery of a large mailing earns a slot, and slots buy
 * others a place before it. The large one loses at most one delivery in `slotCost`.
 */

import type { Job } from "./job.ts";
import type { TransportSettings } from "./settings.ts";

/** How many jobs are looked at for one that may overtake: what is further back gets its turn later. */
const MAX_SCAN = 500;

/** True when the job is large enough to be overtaken at all. */
export function canBeOvertaken<M>(job: Job<M>, settings: TransportSettings): boolean {
  const { slotCost, minimumSlots } = settings;
  return slotCost >= 2 && job.total >= minimumSlots * slotCost;
}

/** The job that should overtake `current` next: of those it can afford, the one that waits longest for its size. */
export function candidate<M>(
  current: Job<M>,
  settings: TransportSettings,
  now: number,
): Job<M> | undefined {
  const affordable = (current.waiting + current.slots) / settings.slotCost;
  let best: Job<M> | undefined, bestScore = 0;
  let job = current.after;
  for (let scanned = 0; job && scanned < MAX_SCAN; scanned++, job = job.after) {
    if (!job.waiting || job.waiting > affordable || job.children || job.parent) continue;
    const score = (Math.max(0, now - job.enqueuedAt) / 1000 + 1) / job.total;
    if (score > bestScore && hasOpenPeer(job)) [best, bestScore] = [job, score];
  }
  return best;
}

/** `small` goes before `current`, which pays for it; false when no order is left between the two. */
export function overtake<M>(small: Job<M>, current: Job<M>, settings: TransportSettings): boolean {
  const order = (current.floor + current.order) / 2;
  if (!(current.floor < order && order < current.order)) return false;
  small.needed = small.waiting;
  small.handedBefore = small.handed;
  current.slots -= small.needed * settings.slotCost;
  small.parent = current;
  current.children++;
  small.base = small.floor = current.floor;
  small.order = current.floor = order;
  return true;
}

/** A job that had overtaken is finished: what it did not use goes back. */
export function returned<M>(small: Job<M>, settings: TransportSettings): void {
  const { parent } = small;
  if (!parent) return;
  const used = small.handed - small.handedBefore;
  parent.slots += Math.max(0, small.needed - used) * settings.slotCost;
  small.parent = undefined;
  if (--parent.children === 0) parent.floor = parent.base;
}

/** True when the slots that `current` has earned, with loan and discount, are enough for `small`. */
export function payable<M>(
  current: Job<M>,
  small: Job<M>,
  settings: TransportSettings,
): boolean {
  const { slotCost, slotLoan, slotDiscount } = settings;
  return current.slots / slotCost + slotLoan >= (small.waiting * (100 - slotDiscount)) / 100;
}

function hasOpenPeer<M>(job: Job<M>): boolean {
  for (const peer of job.peers.values()) {
    // One that stands behind others there counts: it is about to go before them.
    if (peer.entries.length && peer.destination.open) return true;
  }
  return false;
}
