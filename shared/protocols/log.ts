/** log: postlogd writes what the roles say to maillog_file or to the syslog socket. */

import { call, service } from "../ipc/declare.ts";
import { count, line, shape, Type } from "../ipc/schema.ts";

/** Lines of one call at most. */
export const MAX_LINES = 10_000;

/** Longer than `printable()` leaves a text. */
const MAX_TEXT = 2100;
/** Longer fields would not become part of the line. */
export const MAX_FIELDS = 5000;

/** `Spoken`, as one process says it: the time, the host and the process name, postlogd writes before it. */
const spoken = {
  pid: count(),
  lines: Type.Array(Type.String({ maxLength: MAX_TEXT }), {
    maxItems: MAX_LINES,
  }),
  severities: Type.String({ maxLength: MAX_LINES, pattern: "^[iwefp]*$" }),
  fields: Type.Array(Type.String({ maxLength: MAX_FIELDS }), { maxItems: MAX_LINES }),
  since: count(),
  after: Type.Array(count(), { maxItems: MAX_LINES }),
};
const written = { reply: shape({}), deadlineSeconds: 30, headerBytes: 8 << 20 };

/** For commands of the owner, who logs in any name; the reply comes when the lines are written. */
export const logService = service("log", {
  write: call({ request: shape({ process: line(100), ...spoken }), ...written }),
});

/** For the roles: `name` (`logServiceOf`) says whose lines come there. */
export function roleLogService(name: string) {
  return service(name, { write: call({ request: shape(spoken), ...written }) });
}
