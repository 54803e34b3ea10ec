/** One running process of a service: its control channel, its heartbeat, its end. */

import type { ChildProcess } from "node:child_process";
import { Compile } from "typebox/compile";
import { warning } from "../../shared/log/log.ts";
import { type Bind, FromRole, type ToRole } from "../../shared/role/channel.ts";
import { takeStopPoint } from "./stop_point.ts";

/** What a process is told and given at start. */
export interface Handover {
  readonly start: Omit<Extract<ToRole, { type: "start" }>, "pid" | "listeners" | "binds">;
  /** Listening sockets; `answers` is empty for those of master.cf's inet services. */
  readonly listeners: readonly { readonly answers: string; readonly handle: unknown }[];
}

/** What the keeper of the service wants to know. */
export interface MemberEvents {
  ready(member: Member): void;
  want(service: string): void;
  idle(member: Member): void;
  exit(member: Member, how: string): void;
}

/** A role whose event loop does not answer for so long is stuck. */
const STUCK_MS = 30_000;
/** A role that is not ready so long after it was started hangs. */
const START_MS = 20_000;

const message = Compile(FromRole);

export class Member {
  state: "starting" | "ready" | "draining" | "gone" = "starting";
  counters: Record<string, number> = {};
  readonly startedAt = performance.now();
  readonly pid: number;
  /** What the role said before it ended. */
  fatal: { text: string; config: boolean } | undefined;
  #lastPong = performance.now();

  constructor(
    readonly child: ChildProcess,
    readonly handover: Handover & { readonly binds: readonly Bind[] },
    readonly events: MemberEvents,
  ) {
    this.pid = child.pid ?? 0;
    child.on("message", (value: unknown) => this.#take(value));
    child.on("error", (error) => this.#gone(error.message));
    child.on(
      "exit",
      (code, signal) => this.#gone(signal ? `killed by signal ${signal}` : `exit status ${code}`),
    );
  }

  /** Asks for a sign of life, and kills a process that has not given one for `STUCK_MS`. */
  beat(now: number): void {
    if (this.state === "gone") return;
    const late = this.state === "starting" ? START_MS : STUCK_MS;
    if (now - this.#lastPong > late) {
      warning(`process ${this.handover.start.role} pid ${this.pid} does not answer: killed`);
      return this.kill();
    }
    // Nothing but the hand-over goes to a role that is starting.
    if (this.state !== "starting") this.#say({ type: "ping" });
  }

  drain(stop: boolean): void {
    if (this.state === "gone") return;
    this.state = "draining";
    this.#say({ type: "drain", stop });
  }

  reload(change: Omit<Extract<ToRole, { type: "reload" }>, "type">): void {
    this.#say({ type: "reload", ...change });
  }

  kill(): void {
    if (this.state !== "gone") this.child.kill("SIGKILL");
  }

  #take(value: unknown): void {
    if (!message.Check(value)) {
      return warning(`process ${this.handover.start.role} pid ${this.pid}: bad control message`);
    }
    switch (value.type) {
      case "up":
        return this.#begin();
      case "ready":
        // Once: what follows moves its sockets into their places.
        if (this.state !== "starting") return;
        this.state = "ready";
        this.#lastPong = performance.now();
        return this.events.ready(this);
      case "pong":
        this.#lastPong = performance.now();
        this.counters = value.counters;
        return;
      case "want":
        return this.events.want(value.service);
      case "idle":
        return this.events.idle(this);
      case "fatal":
        this.fatal = value;
    }
  }

  /** Handles go first: a plain message that is under way when a handle is sent can swallow it (Deno 2.9.6). */
  #begin(): void {
    const { start, listeners, binds } = this.handover;
    for (const { answers, handle } of listeners) this.#say({ type: "listen", answers }, handle);
    const stop = takeStopPoint(this.handover.start.role);
    this.#say({ ...start, ...stop, pid: this.pid, listeners: listeners.length, binds: [...binds] });
    this.#say({ type: "go" });
  }

  #say(value: ToRole, handle?: unknown): void {
    if (this.state === "gone" || !this.child.connected) return;
    try {
      // deno-lint-ignore no-explicit-any
      this.child.send(value, handle as any);
    } catch {
      // It is dying; its exit event follows.
    }
  }

  #gone(how: string): void {
    if (this.state === "gone") return;
    const draining = this.state === "draining";
    this.state = "gone";
    this.events.exit(this, draining ? "" : how);
  }
}
