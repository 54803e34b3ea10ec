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
let path: string | undefined, postlogd: Client<typeof logService.calls> | undefined;
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
    postlogd?.close();
    path = options.log;
    postlogd = path ? client(logService, { path, patienceMs: START_MS }) : undefined;
    ship = postlogd ? toPostlogd(postlogd) : print;
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

function toPostlogd(log: Client<typeof logService.calls>): (said: Said) => void {
  return (said) => {
    log.call("write", said).catch(() => print(said));
  };
}
