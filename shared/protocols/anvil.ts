/** anvil: counts of clients by service and network, in memory. */

import { call, service } from "../ipc/declare.ts";
import { count, line, shape, Type } from "../ipc/schema.ts";

export const anvilService = service("anvil", {
  /** A connection begins; it counts until the caller settles, or goes away. */
  connect: call({
    request: shape({ service: line(64), client: line(64) }),
    reply: shape({ connections: count(), rate: count() }),
    settles: true,
    deadlineSeconds: 10,
  }),
  /** One more of something that is limited by rate; answers how many in this `anvil_rate_time_unit`. */
  event: call({
    request: shape({
      service: line(64),
      client: line(64),
      kind: Type.Enum(["message", "recipient", "newtls", "auth"]),
      amount: count(100_000),
    }),
    reply: shape({ rate: count() }),
    deadlineSeconds: 10,
  }),
});
