/** What a client did: each command and how often it went well, mistakes, and commands that get nothing done. */

import { type Command, COMMANDS } from "./commands.ts";
import type { Settings } from "./settings.ts";

/** How often a command came, and how often it went well. */
export interface Count {
  ok: number;
  all: number;
}

/** What is counted, in the order of the log. */
const COUNTED = [...COMMANDS, { name: "unknown" }];

export class Tally {
  #errors = 0;
  #junk = 0;
  #forgiven = false;
  #counts = new Map<string, Count>();

  constructor(readonly settings: Settings) {}

  /** The mistakes are so many that the session ends. */
  get tooManyErrors(): boolean {
    return this.#errors >= this.settings.hardErrorLimit;
  }

  /** How long the next reply waits, milliseconds: a client that makes mistakes is slowed down. */
  get pauseMs(): number {
    const { softErrorLimit, errorSleepTime } = this.settings;
    return this.#errors < softErrorLimit ? 0 : errorSleepTime * 1000;
  }

  /** The reply that is being made is no fault of the client. */
  forgive(): void {
    this.#forgiven = true;
  }

  /** A command that gets nothing done came. */
  junk(): void {
    if (this.#junk++ > this.settings.junkCommandLimit) this.#errors++;
  }

  /** A command was answered with this code; undefined when the client went away before. */
  answered({ name }: Command, code: number | undefined): void {
    const fine = code !== undefined && code < 400;
    if (!fine && code !== undefined && !this.#forgiven) this.#errors++;
    this.#forgiven = false;
    const count = this.#count(name);
    count.all++;
    if (fine && name !== "unknown") count.ok++;
  }

  /** What was answered went wrong after that. */
  failed(name: string): void {
    this.#count(name).ok--;
  }

  /** A message was accepted: mistakes before it are forgotten. */
  forget(): void {
    this.#errors = this.#junk = 0;
  }

  /** In the order of the table, as Postfix prints them. */
  counts(): Map<string, Count> {
    const counts = new Map<string, Count>();
    for (const { name } of COUNTED) {
      const count = this.#counts.get(name);
      if (count) counts.set(name, count);
    }
    return counts;
  }

  #count(name: string): Count {
    let count = this.#counts.get(name);
    if (!count) this.#counts.set(name, count = { ok: 0, all: 0 });
    return count;
  }
}
