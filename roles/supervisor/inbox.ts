/**
 * What comes from a role over its control channel, before anybody believes it. A role that was taken over says there
 * whatever it likes: the first thing that no role says closes this inbox for good.
 *
 * What the runtime (Deno 2.9.6) does before this sees anything cannot be bounded here: it parses a message whole, and it
 * waits without a limit for one to end. A role is killed for that only when it gives no sign of life.
 */

import type { ChildProcess } from "node:child_process";
import { type FromRole, readFromRole } from "../../shared/role/control_messages.ts";

/**
 * Roles say a few things in a minute; beside that they take each listener once, and ask for each service that they call at
 * most once a second (`shared/role/role.ts`).
 */
export const MAX_A_SECOND = 100;
/** What a role says while we do not run comes at once when we do: what it has not said for so long is not held against it. */
const LONGEST_SECONDS = 30;

/** What becomes of a message: it is taken, or nothing of that role is any more, for this reason. */
export interface Reader {
  take(message: FromRole): void;
  refuse(why: string): void;
}

export class Inbox {
  #open = true;
  #since = performance.now();
  #left: number;

  /** `aSecond` bounds what the role says, however it is mistaken or lies. */
  constructor(child: ChildProcess, readonly aSecond: number, readonly reader: Reader) {
    this.#left = aSecond;
    child.on("message", (value: unknown, handle: unknown) => this.#hear(value, handle));
    // A descriptor whose message named no handle is lost inside the runtime, which tells of the message alone in this way.
    child.on("internalMessage", (_value: unknown, handle: unknown) => {
      dispose(handle);
      this.#refuse("sent a message of the runtime's own");
    });
  }

  #hear(value: unknown, handle: unknown): void {
    if (handle) {
      dispose(handle);
      return this.#refuse("sent a handle");
    }
    if (!this.#open) return;
    if (this.#tooMany()) return this.#refuse(`sent more than ${this.aSecond} messages in a second`);
    const message = readFromRole(value);
    if (!message) return this.#refuse("sent a message not of the declared shape");
    this.reader.take(message);
  }

  #tooMany(): boolean {
    const now = performance.now();
    const earned = (now - this.#since) / 1000 * this.aSecond;
    this.#left = Math.min(this.#left + earned, this.aSecond * LONGEST_SECONDS);
    this.#since = now;
    return --this.#left < 0;
  }

  #refuse(why: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.reader.refuse(why);
  }
}

/** Closes what came with a message: a server, a socket of any kind, or the bare handle of one. */
function dispose(handle: unknown): void {
  const { destroy, close } = (handle ?? {}) as { destroy?: () => void; close?: () => void };
  try {
    (destroy ?? close)?.call(handle);
  } catch {
    // It was never open.
  }
}
