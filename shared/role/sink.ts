/** Where a role's log events go: formatted once, joined, and shipped to postlogd, or to standard error. */

import { type Client, client } from "../ipc/client.ts";
import { setSink, type Severity } from "../log/log.ts";
import { formatJson, formatText, type Origin } from "../log/format.ts";
import { toStderr } from "../log/stderr.ts";
import { type Said, Speech } from "../log/said.ts";
import { logService, MAX_LINES } from "../protocols/log.ts";

/** Lines wait this long for company. */
const JOIN_MS = 40;
/** How long lines wait for postlogd to be started. */
const START_MS = 10_000;

const waiting = new Speech();
let format: typeof formatJson = formatText;
let timer: ReturnType<typeof setTimeout> | undefined;
let ship: (said: Said) => void = print;
/** The socket of postlogd, and who writes to it. */
let path: string | undefined, postlogd: Postlogd | undefined;
const encoder = new TextEncoder();

export interface SinkOptions extends Origin {
  readonly json: boolean;
  /** The socket of postlogd; standard error without. */
  readonly log: string | undefined;
}

/** Sends this process's log events where the configuration says; a reload may say otherwise than the start. */
export function installSink(options: SinkOptions): void {
  if (options.log !== path) {
    flushLog();
    postlogd?.leave();
    path = options.log;
    const next = postlogd = path ? new Postlogd(path) : undefined;
    ship = next ? (said) => next.write(said) : print;
  }
  formatLog(options.json);
  // Nobody puts standard error in order: lines go there as soon as this turn ends.
  const joinMs = options.log ? JOIN_MS : 0;
  setSink((severity: Severity, text, fields, program) => {
    const origin = program ? inNameOf(program, options) : options;
    waiting.add(format(origin, severity, text, fields));
    if (severity === "fatal" || severity === "panic" || waiting.length >= MAX_LINES) flushLog();
    else timer ??= setTimeout(flushLog, joinMs);
  });
}

/** `postfix/error` in the place of `postfix/qmgr`. */
function inNameOf(program: string, { process, pid, hostname }: Origin): Origin {
  return { process: process.slice(0, process.lastIndexOf("/") + 1) + program, pid, hostname };
}

/** JSON lines or text, from now on (`maillog_format`). */
export function formatLog(json: boolean): void {
  format = json ? formatJson : formatText;
}

/** Writes what waits, now. */
export function flushLog(): void {
  clearTimeout(timer);
  timer = undefined;
  if (waiting.length) ship(waiting.take());
}

/** Directs lines to a writer of the role's own: postlogd's. */
export function shipTo(writer: (said: Said) => void): void {
  ship = writer;
}

function print({ lines }: Said): void {
  toStderr(encoder.encode(lines.join("\n") + "\n"));
}

/** Where lines are written, until they are written elsewhere. */
class Postlogd {
  readonly #log: Client<typeof logService.calls>;
  /** Writes that were not answered yet. */
  #underWay = 0;
  #leaving = false;

  constructor(path: string) {
    this.#log = client(logService, { path, patienceMs: START_MS });
  }

  /** What postlogd does not take goes to standard error. */
  write(said: Said): void {
    this.#underWay++;
    this.#log.call("write", said).catch(() => print(said)).finally(() => {
      this.#underWay--;
      this.#closeWhenDone();
    });
  }

  /** No more is written here. Closed before its last answer, a write that postlogd has made would look like one that failed. */
  leave(): void {
    this.#leaving = true;
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    if (this.#leaving && this.#underWay === 0) this.#log.close();
  }
}
