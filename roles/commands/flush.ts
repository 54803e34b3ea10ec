/** `flush`: try all deferred mail now, as `postfix flush` does. */

import type { CommandIo } from "./io.ts";
import { postqueue } from "./postqueue.ts";

/** `postqueue -f`. */
export function flush(args: string[], io: CommandIo): Promise<number> {
  return postqueue([...args, "-f"], io);
}
