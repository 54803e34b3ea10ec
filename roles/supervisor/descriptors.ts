/**
 * No role inherits a descriptor of the supervisor. Sockets that node's compatibility layer of Deno 2.9.6 binds lack
 * close-on-exec: each role would get the listening sockets of all others and could answer in their place, whatever its
 * permissions. Nothing but fcntl() sets the flag later.
 */

import { libc } from "./libc.ts";

const F_SETFD = 2, FD_CLOEXEC = 1;
/** The first that is not standard input, output or error. */
export const FIRST = 3;
/** More than the supervisor ever has open: a few for each role and listener. */
const LAST = 16_384;

/** Closes every open descriptor at the next exec. Those of a pipe or channel that spawn() makes are made after this. */
export function keepDescriptors(): void {
  const { fcntl } = libc();
  for (let descriptor = FIRST; descriptor <= LAST; descriptor++) {
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
}
