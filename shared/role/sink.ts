/** Where a role's log events go: formatted once, joined, and shipped to postlogd, or to standard error. */

import { type Client, client } from "../ipc/client.ts";
import { setSink, type Severity } from "../log/log.ts";
import { formatJson, formatText } from "../log/format.ts";
import { logService } from "../protocols/log.ts";

/** Lines wait this long for company. */
const JOIN_MS = 40;
/** How long lines wait for postlogd to be started. */
const START_MS = 10_000;
/** Lines beyond this while postlogd is away go to standard error. */
const MAX_WAITING = 10_000;

let waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let ship: (lines: string[]) => void = toStderr;
const encoder = new TextEncoder();

export interface SinkOptions {
  /** `postfix/smtpd`. */
  readonly process: string;
  readonly pid: number;
  readonly hostname: string;
  readonly json: boolean;
  /** The socket of postlogd; standard error without. */
  readonly log: string | undefined;
}

/** Sends this process's log events where the configuration says. */
export function installSink(options: SinkOptions): void {
  if (options.log) {
    ship = toPostlogd(client(logService, { path: options.log, patienceMs: START_MS }));
  }
  const format = options.json ? formatJson : formatText;
  setSink((severity: Severity, text, fields) => {
    waiting.push(format(options, severity, text, fields));
    if (severity === "fatal" || severity === "panic" || waiting.length >= MAX_WAITING) flushLog();
    else timer ??= setTimeout(flushLog, JOIN_MS);
  });
}

/** Writes what waits, now. */
export function flushLog(): void {
  clearTimeout(timer);
  timer = undefined;
  const lines = waiting;
  waiting = [];
  if (lines.length) ship(lines);
}

/** Directs lines to a writer of the role's own: postlogd's. */
export function shipTo(writer: (lines: string[]) => void): void {
  ship = writer;
}

function toStderr(lines: string[]): void {
  const bytes = encoder.encode(lines.join("\n") + "\n");
  for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
}

function toPostlogd(log: Client<typeof logService.calls>): (lines: string[]) => void {
  return (lines) => {
    log.call("write", { lines }).catch(() => toStderr(lines));
  };
}
