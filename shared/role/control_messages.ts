/**
 * The control channel between the supervisor and a role: node:child_process's own IPC, the only one that can carry
 * listening sockets. Declared once, checked on both sides.
 */

import { Compile } from "typebox/schema";
import { count, line, shape, type Static, Type } from "../ipc/schema.ts";
import { MAX_SOCKET_PATH } from "../layout.ts";
import { Counters } from "../protocols/control.ts";

/** A role answers no more services than this. */
const MAX_SERVICES = 1000;

/** Keys that the supervisor read and hands over: PEM text. */
const TlsMaterial = shape({
  chain: Type.String({ maxLength: 1 << 20 }),
  key: Type.String({ maxLength: 1 << 20 }),
});
export type TlsMaterial = Static<typeof TlsMaterial>;

/** A listening socket that a role in a worker binds by itself: no handle can be given to a worker. */
const Bind = shape({
  /** The service that is answered there; empty for an inet listener. */
  answers: line(MAX_SOCKET_PATH),
  /** A unix socket's path; empty for an inet listener. */
  path: line(MAX_SOCKET_PATH),
  address: line(64),
  port: count(65535),
});
export type Bind = Static<typeof Bind>;

/** What the supervisor says to a role. */
export const ToRole = Type.Union([
  shape({
    type: Type.Literal("start"),
    /** The service's name in master.cf. */
    service: line(64),
    role: line(32),
    /** The process id that the supervisor knows it by: the one that appears in the log. */
    pid: count(),
    hostname: line(255),
    /** Expanded main.cf text by parameter name, overrides of master.cf applied. */
    parameters: Type.Record(Type.String(), Type.String()),
    /** Sockets of the services that the policy row lets it call. */
    sockets: Type.Record(Type.String(), Type.String()),
    /** Sockets of postlogd, by the program that logs there; none: lines go to standard error. */
    log: Type.Record(Type.String(), Type.String()),
    /** Those of the services that are started when first asked for. */
    onRequest: Type.Array(line(64)),
    tls: Type.Union([Type.Null(), TlsMaterial]),
    /** How many connections each service takes that it answers to roles. */
    connections: count(),
    /** How many listening sockets came before this. */
    listeners: count(),
    /** Sockets to bind, where none can be handed over. */
    binds: Type.Array(Bind),
    /** Leave after so many seconds without work; 0 stays. */
    maxIdleSeconds: count(),
    /** For crash tests: where this process stops for good (`shared/stop_points.ts`). */
    stopAt: Type.Optional(shape({ point: line(64), count: count() })),
  }),
  /** A listening socket comes with this, before `start`, and the next one when this one is taken; `answers` names a service, or is empty for an inet listener. */
  shape({ type: Type.Literal("listen"), answers: line(MAX_SOCKET_PATH) }),
  /** Everything has been handed over: begin. */
  shape({ type: Type.Literal("go") }),
  shape({ type: Type.Literal("ping") }),
  /** Take no more; finish what is in hand, then exit 0. With `stopMs` the system ends, and kills who is there after that. */
  shape({ type: Type.Literal("drain"), stopMs: Type.Optional(Type.Number({ minimum: 0 })) }),
  /** New parameters for a role that cannot be replaced. */
  shape({
    type: Type.Literal("reload"),
    parameters: Type.Record(Type.String(), Type.String()),
    sockets: Type.Record(Type.String(), Type.String()),
    onRequest: Type.Array(line(64)),
    connections: count(),
  }),
]);
export type ToRole = Static<typeof ToRole>;

/** What a role says to the supervisor. Nothing in it is longer than a log line: the schema bounds what is believed. */
export const FromRole = Type.Union([
  /** The code is loaded, waiting for `start`. */
  shape({ type: Type.Literal("up") }),
  /** A listening socket has come. */
  shape({ type: Type.Literal("took") }),
  shape({ type: Type.Literal("ready") }),
  /** A sign of life; `quiet` are the services on whose sockets nobody has connected since the last one. */
  shape({
    type: Type.Literal("pong"),
    counters: Counters,
    quiet: Type.Array(line(MAX_SOCKET_PATH), { maxItems: MAX_SERVICES }),
  }),
  /** Start this service, somebody is about to connect to it. */
  shape({ type: Type.Literal("want"), service: line(64) }),
  /** Nothing to do for a while: may I go? The answer is `drain`, or more work. */
  shape({ type: Type.Literal("idle") }),
  /** It cannot go on; `config` says that starting again will not help. */
  shape({
    type: Type.Literal("fatal"),
    text: Type.String({ maxLength: 2000 }),
    config: Type.Boolean(),
  }),
]);
export type FromRole = Static<typeof FromRole>;

const fromRole = Compile(FromRole);

/** What a role said; undefined for anything that no role says. */
export function readFromRole(value: unknown): FromRole | undefined {
  return fromRole.Check(value) ? value : undefined;
}

/** How far a role has come, by what it has said of itself. */
export type Progress = "nothing" | "up" | "ready";

/** What a role may say next: `up` and `ready` are said once, so that nothing is handed over or put in place twice. */
export const IN_TURN: Readonly<Record<Progress, ReadonlySet<FromRole["type"]>>> = {
  nothing: new Set(["up", "fatal"]),
  up: new Set(["took", "ready", "pong", "want", "fatal"]),
  ready: new Set(["pong", "want", "idle", "fatal"]),
};
