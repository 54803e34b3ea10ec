/** pickup (public): sendmail tells that there is something in the maildrop. */

import { call, service } from "../ipc/declare.ts";
import { line, shape } from "../ipc/schema.ts";

export const pickupService = service("pickup", {
  /** `file` is the new file's name; empty asks for a look at the whole maildrop. */
  wake: call({ request: shape({ file: line(64) }), reply: shape({}), deadlineSeconds: 10 }),
});
