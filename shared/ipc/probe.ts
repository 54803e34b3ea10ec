/** Whether somebody answers at a unix socket, before there is anything to ask. */

import { PeerError, reason } from "../errors.ts";

const { ConnectionRefused, NotFound, PermissionDenied, WouldBlock } = Deno.errors;

/**
 * `down`: nobody listens there. `denied`: somebody may, but not to us. Throws PeerError when it cannot be told: who takes
 * that for `down` does a running system's work beside it.
 */
export async function probe(path: string): Promise<"up" | "down" | "denied"> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return "up";
  } catch (error) {
    if (error instanceof NotFound || error instanceof ConnectionRefused) return "down";
    if (error instanceof PermissionDenied) return "denied";
    // Others are before us in the queue of somebody who listens.
    if (error instanceof WouldBlock) return "up";
    throw new PeerError(`connect to ${path}: ${reason(error)}`);
  }
}
