/** Where log lines end up: a file, a syslog socket, standard output; and standard error when that fails. */

import { reason } from "../../shared/errors.ts";
import { counter } from "../../shared/counters.ts";
import { toStderr } from "../../shared/log/stderr.ts";
import { writeAll } from "../../shared/write_all.ts";
import { LogFile } from "./log_file.ts";
import { NotSent, Syslog } from "./syslog.ts";

/** Bytes that go to standard error in a minute while the log cannot be written; the rest is counted, and lost. */
const MAX_STDERR_BYTES = 64 * 1024;
const MINUTE_MS = 60_000;
/** Lines that wait for a syslog daemon which takes no more. */
const MAX_WAITING = 20_000;

const written = counter("postlogd_lines", "lines written to the log");
const lost = counter("postlogd_lost", "lines that could be written nowhere");
const encoder = new TextEncoder();

/** Takes whole lines without their newlines. */
export interface LogWriter {
  write(lines: readonly string[]): void;
  /** Resolves when all that was taken is written. */
  close(): Promise<void>;
}

export interface Target {
  /** A path, or /dev/stdout; empty for syslog. */
  readonly file: string;
  readonly syslogSocket: string;
  /** Where postlogd may bind its own end of the syslog socket. */
  readonly ownSocket: string;
}

/** The writer that the configuration asks for. */
export function logWriter(target: Target, stderr = new Stderr()): LogWriter {
  if (target.file === "/dev/stdout") {
    return new SyncWriter((bytes) => writeAll(Deno.stdout, bytes), stderr);
  }
  if (target.file) {
    const file = new LogFile(target.file);
    return new SyncWriter((bytes) => file.write(bytes), stderr, () => file.close());
  }
  if (target.syslogSocket) {
    return new SyslogWriter(new Syslog(target.syslogSocket, target.ownSocket), stderr);
  }
  return new SyncWriter((bytes) => stderr.bytes(bytes), stderr);
}

class SyncWriter implements LogWriter {
  constructor(
    readonly put: (bytes: Uint8Array) => void,
    readonly stderr: Stderr,
    readonly end: () => void = () => {},
  ) {}

  write(lines: readonly string[]): void {
    if (!lines.length) return;
    try {
      this.put(encoder.encode(lines.join("\n") + "\n"));
      written.add(lines.length);
    } catch (error) {
      this.stderr.instead(lines, reason(error));
    }
  }

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    this.end();
  }
}

class SyslogWriter implements LogWriter {
  #waiting: string[] = [];
  #sending: Promise<void> | undefined;

  constructor(readonly syslog: Syslog, readonly stderr: Stderr) {}

  write(lines: readonly string[]): void {
    const room = MAX_WAITING - this.#waiting.length;
    if (lines.length > room) this.stderr.instead(lines.slice(room), "syslog takes no more");
    for (const line of lines.slice(0, room)) this.#waiting.push(line);
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
  }

  async close(): Promise<void> {
    await this.#sending;
    this.syslog.close();
  }

  async #send(): Promise<void> {
    while (this.#waiting.length) {
      const lines = this.#waiting;
      this.#waiting = [];
      try {
        await this.syslog.write(lines);
        written.add(lines.length);
      } catch (error) {
        const sent = error instanceof NotSent ? error.sent : 0;
        written.add(sent);
        this.stderr.instead(lines.slice(sent), reason(error));
      }
    }
  }
}

/** Standard error, for what the log does not take: the reason once a minute, and no more than so many bytes. */
export class Stderr {
  #minute = -Infinity;
  #left = 0;

  constructor(
    readonly put: (bytes: Uint8Array) => void = toStderr,
    readonly now: () => number = () => performance.now(),
  ) {}

  /** Writes without counting: standard error is the log. */
  bytes(bytes: Uint8Array): void {
    this.put(bytes);
  }

  /** Lines that should have gone elsewhere. */
  instead(lines: readonly string[], why: string): void {
    if (this.now() - this.#minute >= MINUTE_MS) {
      this.#minute = this.now();
      this.#left = MAX_STDERR_BYTES;
      this.put(encoder.encode(`postlogd: error: cannot write the log: ${why}\n`));
    }
    for (const line of lines) {
      const bytes = encoder.encode(line + "\n");
      this.#left -= bytes.length;
      if (this.#left < 0) lost.add();
      else this.put(bytes);
    }
  }
}
