/** A syslog socket such as /dev/log: one datagram a line, as RFC 3164 has it on the local machine. */

import { reason } from "../../shared/errors.ts";

/** Facility mail (2), and the severity that each of Postfix's words stands for. */
const FACILITY = 2 << 3;
const SEVERITIES: ReadonlyMap<string, number> = new Map([
  ["warning", 4],
  ["error", 3],
  ["fatal", 2],
  ["panic", 2],
]);
const INFO = 6;
/** Longer datagrams are not taken everywhere. */
const MAX_DATAGRAM_BYTES = 8192;

const encoder = new TextEncoder();
/** `Nov 21 01:02:03 host postfix/smtpd[42]: warning: text`. */
const LINE = /^([A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}) \S+ ([^\s[]+\[[0-9]+\]: (?:([a-z]+): )?.*)$/s;
const JSON_SEVERITY = /"severity":"([a-z]+)"/;

/** A line as syslog wants it: priority, time, text; the host name is syslog's own to add. */
export function datagram(line: string): Uint8Array {
  const [, time, rest, word] = LINE.exec(line) ?? [];
  const severity = SEVERITIES.get(word ?? JSON_SEVERITY.exec(line)?.[1] ?? "") ?? INFO;
  const text = time === undefined ? line : `${time} ${rest}`;
  return encoder.encode(`<${FACILITY + severity}>${text}`).subarray(0, MAX_DATAGRAM_BYTES);
}

export class Syslog {
  #socket: Deno.DatagramConn | undefined;

  /** `own` is where our end is bound: the runtime has no unbound datagram sockets. */
  constructor(readonly path: string, readonly own: string) {}

  /** Sends lines in order; throws at the first that does not go, with how many went in `sent`. */
  async write(lines: readonly string[]): Promise<void> {
    for (const [sent, line] of lines.entries()) {
      try {
        await this.#open().send(datagram(line), { transport: "unixpacket", path: this.path });
      } catch (error) {
        this.close();
        throw new NotSent(sent, `${this.path}: ${reason(error)}`);
      }
    }
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #open(): Deno.DatagramConn {
    if (this.#socket) return this.#socket;
    try {
      Deno.removeSync(this.own);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return this.#socket = Deno.listenDatagram({ transport: "unixpacket", path: this.own });
  }
}

/** The rest of the lines did not go. */
export class NotSent extends Error {
  constructor(readonly sent: number, message: string) {
    super(message);
  }
}
