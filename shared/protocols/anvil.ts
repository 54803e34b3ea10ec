/** anvil: counts of clients by service and network, in memory. */

import Type from "typebox";
import { call, count, line, service, shape } from "../ipc/declare.ts";

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
      kind: Type.Union([
        Type.Literal("message"),
        Type.Literal("recipient"),
        Type.Literal("newtls"),
        Type.Literal("auth"),
      ]),
      amount: count(100_000),
    }),
    reply: shape({ rate: count() }),
    deadlineSeconds: 10,
  }),
});
