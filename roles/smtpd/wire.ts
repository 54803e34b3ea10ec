/**
 * The session's end of the connection: lines and content in, replies out. Replies of one turn leave in one write; a
 * client that does not read them is not read either; one deadline stands over whatever is waited for. A client may end its
 * side first: what it has said is answered, and nothing more is waited for.
 */

import { byteText, EMPTY, utf8Text } from "../../shared/bytes.ts";

const LF = 10, CR = 13;
/** The client is not read while so many bytes wait here: it would fill memory by sending faster than we work. */
const MAX_HELD_BYTES = 64 * 1024;
/** Replies are written out beyond this, even if there are more commands to answer first. */
const MAX_JOINED_CHARS = 8 * 1024;

/** The connection as the wire needs it: a socket, a TLS session, or a test. */
export interface Transport {
  /** False when the text waits in memory; `Wire.drained()` is called when it has left. */
  write(text: string): boolean;
  pause(): void;
  resume(): void;
  /** Sends what is written and closes. `done`: the client has said all that it will. */
  end(done: boolean): void;
}

export interface WireOptions {
  /** Bytes of a command line (`line_length_limit`). */
  readonly lineLimit: number;
  readonly timeoutSeconds: number;
  /** `smtpd_per_request_deadline`. */
  readonly perRequest: boolean;
  /** Bytes a second (`smtpd_min_data_rate`). */
  readonly minDataRate: number;
  /** Milliseconds by a clock that nobody can set. */
  readonly steady: () => number;
}

/** Why nothing more comes. */
export type Gone = "closed" | "timeout" | "stopped";

export class Wire {
  /** What is the matter with the line that `next` gave last. */
  tooLong = false;
  badUtf8 = false;
  bareLf = false;
  /** How much memory its text takes, whatever part of it is kept. */
  lineBytes = 0;
  gone: Gone | undefined;

  #data: Uint8Array = EMPTY;
  #at = 0;
  /** Where the search for the end of the line goes on. */
  #searched = 0;
  #overlong = false;
  #paused = false;
  #blocked = false;
  #out = "";
  #deadline = Infinity;
  #wake: (() => void) | undefined;
  #awaitsLine = false;
  #ended = false;
  #closed = false;

  constructor(public transport: Transport, readonly options: WireOptions) {}

  /** Bytes came in. */
  push(chunk: Uint8Array): void {
    if (this.#at === this.#data.length) {
      this.#data = chunk;
      this.#searched = 0;
    } else {
      const rest = this.#data.subarray(this.#at);
      const joined = new Uint8Array(rest.length + chunk.length);
      joined.set(rest);
      joined.set(chunk, rest.length);
      this.#data = joined;
      this.#searched -= this.#at;
    }
    this.#at = 0;
    this.#extend(chunk.length);
    if (!this.#paused && this.held > MAX_HELD_BYTES) {
      this.#paused = true;
      this.transport.pause();
    }
    this.#awake();
  }

  /** The client has said all that it will; it may still read (RFC 9293 3.6). */
  ended(): void {
    this.#ended = true;
    this.#awake();
  }

  /** The connection is no more: nothing comes and nothing leaves. */
  closed(): void {
    this.gone ??= "closed";
    this.#closed = true;
    this.#awake();
  }

  /** The system stops: whoever waits for a command waits no longer. */
  stop(): void {
    if (this.#awaitsLine) this.breakOff();
  }

  /** Whatever is waited for does not come. */
  breakOff(): void {
    this.gone ??= "stopped";
    this.#awake();
  }

  /** What was written has left. */
  drained(): void {
    this.#blocked = false;
    this.#awake();
  }

  /** Looks at the deadline, `now` being steady; called about once a second. */
  tick(now: number): void {
    if (now < this.#deadline || this.gone) return;
    this.gone = "timeout";
    this.#awake();
  }

  /** Bytes that arrived and are not read yet. */
  get held(): number {
    return this.#data.length - this.#at;
  }

  /** What has arrived and is not read yet, for the log. */
  peek(): string {
    return byteText(this.#data, this.#at, Math.min(this.#data.length, this.#at + 100));
  }

  /** Forgets what has arrived: it was sent before a TLS handshake (RFC 3207 4.2). */
  discard(): void {
    this.#data = EMPTY;
    this.#at = this.#searched = 0;
    this.#overlong = false;
    this.#resume();
  }

  /** The next whole line that has arrived, without its end; undefined when there is none to answer yet. */
  next(): string | undefined {
    if (this.#blocked) return undefined;
    const end = this.#data.indexOf(LF, this.#searched);
    const length = (end < 0 ? this.#data.length : end) - this.#at;
    if (length > this.options.lineLimit) this.#overlong = true;
    if (end < 0) {
      this.#searched = this.#data.length;
      // The rest of a line that is too long is read and dropped, never taken for commands.
      if (this.#overlong) {
        this.#data = EMPTY;
        this.#at = this.#searched = 0;
      }
      this.#resume();
      return undefined;
    }
    const from = this.#at;
    this.#at = this.#searched = end + 1;
    this.tooLong = this.#overlong;
    this.#overlong = false;
    this.bareLf = end === from || this.#data[end - 1] !== CR;
    return this.tooLong ? "" : this.#decode(from, this.bareLf ? end : end - 1);
  }

  /** Waits for a line; undefined when the client is gone or silent for too long. */
  async line(): Promise<string | undefined> {
    this.arm();
    for (;;) {
      const line = this.next();
      if (line !== undefined) {
        this.disarm();
        return line;
      }
      // There may be more to answer when the client has read what waits.
      if (this.#ended && !this.#blocked) this.gone ??= "closed";
      if (this.gone) return undefined;
      this.#awaitsLine = true;
      await this.#wait();
      this.#awaitsLine = false;
    }
  }

  /** Waits for bytes; false when the client is gone or silent for too long. */
  async ready(): Promise<boolean> {
    while (this.held === 0) {
      if (this.#ended) this.gone ??= "closed";
      if (this.gone) return false;
      await this.#wait();
    }
    return true;
  }

  /** The bytes at hand; perhaps none. */
  take(max = Infinity): Uint8Array {
    const end = Math.min(this.#data.length, this.#at + max);
    const taken = this.#data.subarray(this.#at, end);
    this.#at = this.#searched = end;
    this.#resume();
    return taken;
  }

  /** Gives back the last `count` bytes of what was taken: the next command begins there. */
  unread(count: number): void {
    this.#at -= count;
    this.#searched = this.#at;
  }

  /** Adds to what leaves at the end of this turn. */
  write(text: string): void {
    this.#out += text;
    if (this.#out.length > MAX_JOINED_CHARS) this.flush();
  }

  /** Sends what was written. */
  flush(): void {
    const out = this.#out;
    if (!out || this.#closed) return;
    this.#out = "";
    if (!this.transport.write(out)) this.#blocked = true;
  }

  /** Sends what was written and starts the time that the client has. */
  arm(seconds = this.options.timeoutSeconds): void {
    this.flush();
    this.#deadline = this.options.steady() + seconds * 1000;
  }

  /** Nobody waits for the client: its silence is no fault. */
  disarm(): void {
    this.#deadline = Infinity;
  }

  /** Sends what was written and closes; `quit` when the client asked for it. */
  end(quit = false): void {
    this.flush();
    this.disarm();
    this.transport.end(quit && this.held === 0);
  }

  #wait(): Promise<void> {
    this.flush();
    // What has been read must not be kept for as long as the client is silent.
    if (this.held === 0) {
      this.#data = EMPTY;
      this.#at = this.#searched = 0;
    }
    return new Promise((resolve) => (this.#wake = resolve));
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #resume(): void {
    if (!this.#paused || this.held > MAX_HELD_BYTES) return;
    this.#paused = false;
    this.transport.resume();
  }

  /** Bytes extend the deadline: fully, or by what the lowest rate allows them. */
  #extend(bytes: number): void {
    if (this.#deadline === Infinity) return;
    const { steady, perRequest, timeoutSeconds, minDataRate } = this.options;
    const latest = steady() + timeoutSeconds * 1000;
    this.#deadline = perRequest
      ? Math.min(latest, this.#deadline + bytes * 1000 / minDataRate)
      : latest;
  }

  #decode(from: number, to: number): string {
    const data = this.#data;
    this.badUtf8 = false;
    let bits = 0;
    for (let at = from; at < to; at++) bits |= data[at]!;
    this.lineBytes = bits < 0x80 ? to - from : 2 * (to - from);
    if (bits < 0x80) return byteText(data, from, to);
    try {
      return utf8Text(data.subarray(from, to));
    } catch {
      this.badUtf8 = true;
      return byteText(data, from, to);
    }
  }
}
