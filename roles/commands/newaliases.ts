/** `newaliases`: `sendmail -I` under the name that package scripts call. */

import type { CommandIo } from "./io.ts";
import { sendmail } from "./sendmail.ts";

/** Takes sendmail's options. */
export function newaliases(args: string[], io: CommandIo): Promise<number> {
  return sendmail(["-I", ...args], io);
}
