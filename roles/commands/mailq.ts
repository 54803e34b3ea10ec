/** `mailq`: Sendmail's name for `postqueue -p`. */

import type { CommandIo } from "./io.ts";
import { takeConfigDirectory } from "./io.ts";
import { postqueue } from "./postqueue.ts";

/** Lists the queue; Sendmail's options are taken and mean nothing here. */
export function mailq(args: string[], io: CommandIo): Promise<number> {
  const { directory } = takeConfigDirectory(args, io);
  return postqueue(["-p"], directory === undefined ? io : { ...io, configDirectory: directory });
}
