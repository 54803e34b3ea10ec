/**
 * One running process of a service: its control channel, its heartbeat, its end. What it says is taken in turn only
 * (`IN_TURN`); whoever speaks out of turn is ended.
 */

import type { ChildProcess } from "node:child_process";
import { warning } from "../../shared/log/log.ts";
import {
  type Bind,
  type FromRole,
  IN_TURN,
  type Progress,
  type ToRole,
} from "../../shared/role/control_messages.ts";
import { Inbox, MAX_A_SECOND } from "./inbox.ts";
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

/** What a role takes in place of what it was started with. */
type Reload = Extract<ToRole, { type: "reload" }>;

/** A role whose event loop does not answer for so long is stuck. */
const STUCK_MS = 30_000;
/**
 * A process that was told to finish what is in hand may take so long: a session may. One that was taken over would live on for
 * ever with rights that a reload took from it, and take clients.
 */
const DRAIN_MS = 3_600_000;
/** A role that is not ready so long after it was started hangs. */
const START_MS = 20_000;
/** A process whose control channel is closed ends by itself: after so long it is ended. */
const LAST_MS = 1000;
/** What a process that has ended said before is read within this. */
const LAST_WORDS_MS = 500;

export class Member {
  state: "starting" | "ready" | "draining" | "gone" = "starting";
  counters: Readonly<Record<string, number>> = {};
  /** The services that nobody connected to before its last sign of life; undefined until it has given the one asked for. */
  quiet: readonly string[] | undefined;
  readonly startedAt = performance.now();
  readonly pid: number;
  /** What the role said before it ended. */
  fatal: { text: string; config: boolean } | undefined;
  #progress: Progress = "nothing";
  /** Listening sockets that were sent, and whether the last of them is still on its way. */
  #handedOver = 0;
  #taking = false;
  /** Signs of life that it was asked for and has not given. */
  #asked = 0;
  /** The newest reload that came before it was ready. */
  #reload: Reload | undefined;
  #lastPong = performance.now();
  #lastBeat = performance.now();
  #refused = false;
  /** When it was told to finish. */
  #drainingSince = Infinity;
  #end: ReturnType<typeof setTimeout> | undefined;
  /** The control channel is closed, and all that came by it is read. */
  #silent = false;
  #onSilent: (() => void) | undefined;

  constructor(
    readonly child: ChildProcess,
    readonly handover: Handover & { readonly binds: readonly Bind[] },
    readonly events: MemberEvents,
  ) {
    this.pid = child.pid ?? 0;
    const { start, listeners } = handover;
    new Inbox(child, MAX_A_SECOND + listeners.length + Object.keys(start.sockets).length, {
      take: (message) => this.#take(message),
      refuse: (why) => this.#refuse(why),
    });
    child.on("error", (error) => {
      // What never started has no other event; from what runs, it is a channel that works no more.
      if (child.pid === undefined) this.#gone(error.message);
      else this.#endSoon();
    });
    child.on("disconnect", () => {
      this.#silent = true;
      this.#onSilent?.();
      this.#endSoon();
    });
    child.on("exit", (code, signal) => {
      if (signal) this.#gone(`killed by signal ${signal}`);
      else this.#goneWhenSilent(`exit status ${code}`);
    });
  }

  /** Asks for a sign of life, and kills a process that has not given one for `STUCK_MS`, or does not finish in `DRAIN_MS`. */
  beat(now: number): void {
    if (this.state === "gone") return;
    // It is we who were stopped (Ctrl-Z, a machine that sleeps): what it said is not read yet.
    if (now - this.#lastBeat > STUCK_MS) this.#lastPong = now;
    this.#lastBeat = now;
    const late = this.state === "starting" ? START_MS : STUCK_MS;
    if (now - this.#lastPong > late) {
      warning(`process ${this.handover.start.role} pid ${this.pid} does not answer: killed`);
      return this.kill();
    }
    if (now - this.#drainingSince > DRAIN_MS) {
      const { role } = this.handover.start;
      warning(`process ${role} pid ${this.pid} has not finished an hour after it was told: killed`);
      return this.kill();
    }
    // Nothing but the hand-over goes to a role that is starting.
    if (this.state === "starting") return;
    this.#asked++;
    this.quiet = undefined;
    this.#say({ type: "ping" });
  }

  /** Lets it finish what is in hand: within `stopMs`, when the system ends. */
  drain(stopMs?: number): void {
    if (this.state === "gone" || (this.state === "draining" && stopMs === undefined)) return;
    if (this.state !== "draining") this.#drainingSince = performance.now();
    this.state = "draining";
    this.#say(stopMs === undefined ? { type: "drain" } : { type: "drain", stopMs });
  }

  /** Puts new parameters in force; where it starts, as soon as it is ready, for until then it has the hand-over in hand. */
  reload(change: Omit<Reload, "type">): void {
    this.#reload = { type: "reload", ...change };
    if (this.state !== "starting") this.#sendReload();
  }

  #sendReload(): void {
    if (this.#reload) this.#say(this.#reload);
    this.#reload = undefined;
  }

  kill(): void {
    if (this.state !== "gone") this.child.kill("SIGKILL");
  }

  #take(message: FromRole): void {
    if (this.#refused) return;
    if (!IN_TURN[this.#progress].has(message.type)) {
      return this.#refuse(`said "${message.type}" out of turn`);
    }
    switch (message.type) {
      case "up":
        this.#progress = "up";
        return this.#handOver();
      case "took":
        if (!this.#taking) return this.#refuse('said "took" out of turn');
        return this.#handOver();
      case "ready":
        this.#progress = "ready";
        if (this.state !== "starting") return;
        this.state = "ready";
        this.#lastPong = performance.now();
        this.#sendReload();
        return this.events.ready(this);
      case "pong":
        if (this.#asked-- === 0) return this.#refuse(`said "pong" unasked`);
        this.#lastPong = performance.now();
        this.counters = message.counters;
        this.quiet = message.quiet;
        return;
      case "want":
        return this.events.want(message.service);
      case "idle":
        return this.events.idle(this);
      case "fatal":
        this.fatal ??= message;
    }
  }

  /** Ends a process that does what no role does; why is told with its end. */
  #refuse(why: string): void {
    if (this.state === "gone" || this.#refused) return;
    this.#refused = true;
    this.fatal = { text: why, config: false };
    this.kill();
  }

  /** Nobody hears or tells it anything any more: it must not live on with its sockets. */
  #endSoon(): void {
    if (this.state !== "gone") this.#end ??= setTimeout(() => this.kill(), LAST_MS);
  }

  /**
   * Handles go first: a plain message that is under way when a handle is sent can swallow it. They go one by one: what waits
   * to be sent to a process that dies is never closed (Deno 2.9.6).
   */
  #handOver(): void {
    // One that was told to go meanwhile has no use for anything.
    if (this.state !== "starting") return;
    const { start, listeners, binds } = this.handover;
    const next = listeners[this.#handedOver];
    this.#taking = next !== undefined;
    if (next) {
      this.#handedOver++;
      return this.#say({ type: "listen", answers: next.answers }, next.handle);
    }
    const stop = takeStopPoint(start.role);
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

  /** The runtime may tell of its end before what it said last, which is why it ended. */
  #goneWhenSilent(how: string): void {
    if (this.#silent) return this.#gone(how);
    const timer = setTimeout(() => this.#gone(how), LAST_WORDS_MS);
    this.#onSilent = () => {
      clearTimeout(timer);
      this.#gone(how);
    };
  }

  #gone(how: string): void {
    if (this.state === "gone") return;
    clearTimeout(this.#end);
    const asWanted = this.state === "draining" && !this.#refused;
    this.state = "gone";
    this.events.exit(this, asWanted ? "" : how);
  }
}
