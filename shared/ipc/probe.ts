/** Whether somebody answers at a unix socket, before there is anything to ask. */

import { PeerError, reason } from "../errors.ts";
import { sleep } from "../timer.ts";

const { ConnectionRefused, ConnectionReset, NotFound, PermissionDenied, WouldBlock } = Deno.errors;

/** Somebody who ends while we are in his queue resets us: the next look tells whether another one is there. */
const LOOKS = 20;
const AGAIN_MS = 50;

/**
 * `down`: nobody listens there. `denied`: somebody may, but not to us. Throws PeerError when it cannot be told: who takes
 * that for `down` does a running system's work beside it.
 */
export async function probe(path: string): Promise<"up" | "down" | "denied"> {
  for (let looks = 1;; looks++) {
    try {
      (await Deno.connect({ transport: "unix", path })).close();
      return "up";
    } catch (error) {
      if (error instanceof NotFound || error instanceof ConnectionRefused) return "down";
      if (error instanceof PermissionDenied) return "denied";
      // Others are before us in the queue of somebody who listens.
      if (error instanceof WouldBlock) return "up";
      if (!(error instanceof ConnectionReset) || looks === LOOKS) {
        throw new PeerError(`connect to ${path}: ${reason(error)}`);
      }
      await sleep(AGAIN_MS);
    }
  }
}
