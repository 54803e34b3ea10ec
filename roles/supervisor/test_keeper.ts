/** For tests: a keeper whose processes are the test's own. */

import { EventEmitter } from "node:events";
import type { ChildProcess } from "node:child_process";
import type { FromRole, ToRole } from "../../shared/role/control_messages.ts";
import { Keeper, type Plan } from "./keeper.ts";

/** A child process that does as the test says. */
export class Child extends EventEmitter {
  connected = true;
  readonly heard: ToRole[] = [];
  /** Goes on as if nobody had told it to finish. */
  stays = false;

  constructor(readonly pid: number) {
    super();
  }

  send(value: ToRole): boolean {
    this.heard.push(value);
    if (value.type === "drain" && !this.stays) queueMicrotask(() => this.exit(0));
    return true;
  }

  /** Ends by itself. */
  exit(code: number): void {
    this.emit("disconnect");
    this.emit("exit", code, null);
  }

  kill(): boolean {
    this.emit("exit", null, "SIGKILL");
    return true;
  }

  say(value: FromRole): void {
    this.emit("message", value);
  }

  /** Goes through the whole start: there is one listener. */
  begin(): void {
    this.say({ type: "up" });
    this.say({ type: "took" });
    this.say({ type: "ready" });
  }
}

/** A keeper of one service, its processes, and what it asks for. */
export function setup(change: Partial<Plan> = {}) {
  const children: Child[] = [];
  const plan: Plan = {
    service: "smtp",
    role: "smtpd",
    count: 1,
    onRequest: false,
    throttleMs: 60_000,
    fixed: undefined,
    outdated: undefined,
    answers: [],
    knock() {},
    handover: {
      start: {
        type: "start",
        service: "smtp",
        role: "smtpd",
        hostname: "test",
        parameters: {},
        sockets: { dns: "/s" },
        log: {},
        onRequest: [],
        connections: 10,
        tls: null,
        maxIdleSeconds: 0,
      },
      listeners: [{ answers: "", handle: {} }],
    },
    launch() {
      children.push(new Child(100 + children.length));
      return children.at(-1) as unknown as ChildProcess;
    },
    ...change,
  };
  const wants: string[] = [];
  const keeper = new Keeper(plan, (_, service) => wants.push(service));
  return {
    children,
    plan,
    wants,
    keeper,
    /** Starts the keeper, whose processes begin well. */
    async start() {
      const started = keeper.start();
      for (const child of children) child.begin();
      await started;
    },
  };
}

/** A plan's own sockets of which the first cannot be had. */
export function lateSockets(failures: number): NonNullable<Plan["ownSockets"]> {
  return () => {
    if (failures-- > 0) throw new Error("no space left on device");
    return { binds: [], listening() {} };
  };
}
