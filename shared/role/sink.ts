/** Where a role's log events go: joined, and shipped to postlogd, which knows by the socket who says them; or to standard error. */

import { type Client, client } from "../ipc/client.ts";
import { setSink, type Severity } from "../log/log.ts";
import { finished, type Format, formatJson, formatText, type Origin } from "../log/format.ts";
import { toStderr } from "../log/stderr.ts";
import { Speech, type Spoken } from "../log/said.ts";
import { MAX_FIELDS, MAX_LINES, roleLogService } from "../protocols/log.ts";

/** Lines wait this long for company. */
const JOIN_MS = 40;
/** How long lines wait for postlogd to be started. */
const START_MS = 10_000;

/** Takes what was said at a time. */
type Ship = (spoken: Spoken, origin: Origin) => void;

let format: Format = formatText;
let timer: ReturnType<typeof setTimeout> | undefined;
/** What the sink was installed with, but for the form of lines. */
let installed = "";
/** What was said and not shipped, by the program that says it: each has a way of its own. */
const voices = new Map<string, Voice>();
/** Who spoke last. */
let last: Voice | undefined;
const encoder = new TextEncoder();

export interface SinkOptions extends Origin {
  readonly json: boolean;
  /** The sockets of postlogd by program, the process's own first; standard error without. */
  readonly log: Readonly<Record<string, string>>;
}

/** Sends this process's log events where the configuration says; a reload may say otherwise than the start. */
export function installSink(next: SinkOptions): void {
  const before = installed;
  installed = JSON.stringify({ ...next, json: undefined });
  if (installed !== before) {
    flushLog();
    for (const voice of voices.values()) voice.leave();
    voices.clear();
  }
  formatLog(next.json);
  const self = next.process.slice(next.process.lastIndexOf("/") + 1);
  // Nobody puts standard error in order: lines go there as they come, as soon as this turn ends.
  const ordered = Object.keys(next.log).length > 0;
  const joinMs = ordered ? JOIN_MS : 0;
  setSink((severity: Severity, text, fields, program = self) => {
    const voice = voices.get(program) ?? newVoice(program, next);
    if (!ordered && voice !== last) flushLog();
    last = voice;
    voice.say(severity, text, fields);
    if (severity === "fatal" || severity === "panic" || voice.length >= MAX_LINES) flushLog();
    else timer ??= setTimeout(flushLog, joinMs);
  });
}

function newVoice(program: string, { log, ...origin }: SinkOptions): Voice {
  // `postfix/error` in the place of `postfix/qmgr`.
  const process = origin.process.slice(0, origin.process.lastIndexOf("/") + 1) + program;
  const voice = new Voice({ ...origin, process }, log[program]);
  voices.set(program, voice);
  return voice;
}

/** JSON lines or text, from now on (`maillog_format`). */
export function formatLog(json: boolean): void {
  format = json ? formatJson : formatText;
}

/** Writes what waits, now. */
export function flushLog(): void {
  clearTimeout(timer);
  timer = undefined;
  for (const voice of voices.values()) voice.flush();
}

let writeOwn: Ship | undefined;

/** Directs lines to a writer of the role's own: postlogd's. */
export function shipTo(writer: Ship): void {
  writeOwn = writer;
}

/** One program's lines on their way. */
class Voice {
  #speech = new Speech();
  #postlogd: Postlogd | undefined;

  constructor(readonly origin: Origin, path: string | undefined) {
    if (path) this.#postlogd = new Postlogd(path, origin);
  }

  get length(): number {
    return this.#speech.length;
  }

  say(severity: Severity, text: string, fields?: Readonly<Record<string, unknown>>): void {
    const json = fields && format === formatJson ? JSON.stringify(fields) : "";
    this.#speech.add(severity, text, json.length <= MAX_FIELDS ? json : "");
  }

  flush(): void {
    if (!this.#speech.length) return;
    const spoken = this.#speech.take();
    if (writeOwn) writeOwn(spoken, this.origin);
    else if (this.#postlogd) this.#postlogd.write(spoken);
    else print(spoken, this.origin);
  }

  leave(): void {
    this.#postlogd?.leave();
  }
}

function print(spoken: Spoken, origin: Origin): void {
  toStderr(encoder.encode(finished(spoken, origin, format).lines.join("\n") + "\n"));
}

/** Where lines are written, until they are written elsewhere. */
class Postlogd {
  readonly #log: Client<ReturnType<typeof roleLogService>["calls"]>;
  /** Writes that were not answered yet. */
  #underWay = 0;
  #leaving = false;

  constructor(path: string, readonly origin: Origin) {
    this.#log = client(roleLogService("log"), { path, patienceMs: START_MS });
  }

  /** What postlogd does not take goes to standard error. */
  write(spoken: Spoken): void {
    this.#underWay++;
    this.#log.call("write", { ...spoken, pid: this.origin.pid })
      .catch(() => print(spoken, this.origin)).finally(() => {
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
