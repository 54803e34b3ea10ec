/** log: postlogd writes what the roles say to maillog_file or to the syslog socket. */

import Type from "typebox";
import { call, service, shape } from "../ipc/declare.ts";

export const logService = service("log", {
  /** Whole lines, already formatted and printable. */
  write: call({
    request: shape({ lines: Type.Array(Type.String({ maxLength: 5000 }), { maxItems: 10_000 }) }),
    reply: shape({}),
    deadlineSeconds: 30,
    headerBytes: 8 << 20,
  }),
});
