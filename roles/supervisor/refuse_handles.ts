/**
 * No role can leave a descriptor in the supervisor. What comes with a message that says so can be closed (`inbox.ts`), but
 * Deno 2.9.6 keeps one that came with any other message, and tells nobody. Linux refuses to send any since 6.16.
 */

import { FIRST } from "./descriptors.ts";
import { libc } from "./libc.ts";

const SOL_SOCKET = 1, SO_PASSRIGHTS = 83;
const NO = new Int32Array([0]);
/** A new descriptor is the lowest that is free: there is none behind so many that are no unix sockets. */
const MAX_OTHERS = 512;

/** Lets no unix socket of this process take descriptors; false where the kernel cannot do that. Sending stays possible. */
export function refuseHandles(): boolean {
  const { setsockopt } = libc();
  let refused = false;
  for (let descriptor = FIRST, others = 0; others < MAX_OTHERS; descriptor++) {
    if (setsockopt(descriptor, SOL_SOCKET, SO_PASSRIGHTS, NO, NO.byteLength) === 0) {
      refused = true;
      others = 0;
    } else others++;
  }
  return refused;
}
