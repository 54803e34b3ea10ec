/** log: postlogd writes what the roles say to maillog_file or to the syslog socket. */

import { call, service } from "../ipc/declare.ts";
import { count, shape, Type } from "../ipc/schema.ts";

/** Lines of one call at most. */
export const MAX_LINES = 10_000;

export const logService = service("log", {
  /** Whole lines, already formatted and printable, as `Said`; the reply comes when they are written. */
  write: call({
    request: shape({
      lines: Type.Array(Type.String({ maxLength: 5000 }), { maxItems: MAX_LINES }),
      since: count(),
      after: Type.Array(count(), { maxItems: MAX_LINES }),
    }),
    reply: shape({}),
    deadlineSeconds: 30,
    headerBytes: 8 << 20,
  }),
});
