/** pickup (public): sendmail tells that there is something in the maildrop. */

import { call, service, shape } from "../ipc/declare.ts";

export const pickupService = service("pickup", {
  wake: call({ request: shape({}), reply: shape({}), deadlineSeconds: 10 }),
});
