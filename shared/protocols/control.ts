/** control: the supervisor's own public service, for `postern status`, `reload` and `stop`. */

import { call, service } from "../ipc/declare.ts";
import { count, line, shape, type Static, Type } from "../ipc/schema.ts";

/** Several times as many as a role has: one that was taken over could name counters without end. */
export const MAX_COUNTERS = 100;
/** What so many services come to, each with as many counters of the longest names. */
const MAX_SERVICES = 1000;
const STATUS_BYTES = 16 << 20;

/** What a role has counted since it started, by name, as `shared/counters.ts` declares them. */
export const Counters = Type.Record(
  Type.String({ pattern: "^[a-z][a-z0-9_]{0,63}$" }),
  count(),
  { maxProperties: MAX_COUNTERS },
);

export const ServiceStatus = shape({
  /** The service's name in master.cf, and its role. */
  service: line(64),
  role: line(32),
  state: Type.Enum(["running", "starting", "idle", "waiting", "failed", "stopping"]),
  pids: Type.Array(count(), { maxItems: 1000 }),
  restarts: count(),
  /** Why it is not running; empty when all is well. */
  reason: line(500),
  counters: Counters,
});
export type ServiceStatus = Static<typeof ServiceStatus>;

export const controlService = service("control", {
  status: call({
    request: shape({}),
    reply: shape({
      layers: line(200),
      services: Type.Array(ServiceStatus, { maxItems: MAX_SERVICES }),
    }),
    deadlineSeconds: 10,
    headerBytes: STATUS_BYTES,
  }),
  /** Answers after the new configuration is in force, or with the reason why it is not. */
  reload: call({ request: shape({}), reply: shape({ error: line(2000) }), deadlineSeconds: 60 }),
  /** Starts a service that is started on request: somebody outside the system is about to connect to it. */
  want: call({ request: shape({ service: line(64) }), reply: shape({}), deadlineSeconds: 10 }),
  stop: call({ request: shape({}), reply: shape({}), deadlineSeconds: 30 }),
});
