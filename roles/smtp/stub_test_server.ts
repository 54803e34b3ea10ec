/** For tests: a server that follows a script, and what a delivery needs around it. */

import { createServer, type Server as NetServer, type Socket } from "node:net";
import { Content } from "../../shared/ipc/content.ts";
import { setSink } from "../../shared/log/log.ts";
import { parseAll } from "../../shared/parameters/declare.ts";
import {
  type Protocol,
  smtpParameters,
  type SmtpSettings,
  smtpSettings,
} from "../../shared/parameters/smtp.ts";
import type { DnsAnswer } from "../../shared/protocols/dns.ts";
import type { DeliveryRequest } from "../../shared/protocols/delivery.ts";
import { testEnvelope } from "../../tests/support/envelope.ts";
import { Deliverer } from "./deliver.ts";
import type { Again } from "./job.ts";
import type { Ask } from "./lookup.ts";

/**
 * What a server answers to each command, by its first word; `.` is the end of data, CONNECT the greeting. `close`
 * hangs up, `silence` says nothing; what is not scripted is answered well.
 */
export type Script = Record<string, string | ((line: string, session: number) => string)>;

const WELL: Record<string, string> = {
  CONNECT: "220 mx.test ESMTP",
  EHLO: "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 DSN",
  LHLO: "250-mx.test\r\n250-PIPELINING\r\n250 8BITMIME",
  HELO: "250 mx.test",
  MAIL: "250 2.1.0 Ok",
  RCPT: "250 2.1.5 Ok",
  DATA: "354 End data with <CR><LF>.<CR><LF>",
  ".": "250 2.0.0 Ok: queued as TEST",
  RSET: "250 2.0.0 Ok",
  QUIT: "221 2.0.0 Bye",
};

export class StubServer implements AsyncDisposable {
  /** Command lines, by session. */
  commands: string[][] = [];
  /** Each read of each session as it came. */
  reads: string[] = [];
  /** Contents as sent, dots still stuffed. */
  contents: string[] = [];
  sockets = new Set<Socket>();
  #server: NetServer;

  constructor(readonly script: Script = {}, readonly lmtp = false) {
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  listen(where: number | string = 0, host = "127.0.0.1"): Promise<this> {
    return new Promise((resolve, reject) => {
      this.#server.on("error", reject);
      const done = () => resolve(this);
      if (typeof where === "string") this.#server.listen(where, done);
      else this.#server.listen(where, host, done);
    });
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  get nexthop(): string {
    return `[127.0.0.1]:${this.port}`;
  }

  /** Hangs up on everybody. */
  hangUp(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.sockets.add(socket);
    const number = this.commands.push([]) - 1, commands = this.commands[number]!;
    let text = "", inData = false, accepted = 0;
    const say = (verb: string, line: string): string => {
      const scripted = this.script[verb] ?? WELL[verb] ?? "500 5.5.2 unknown";
      const reply = typeof scripted === "function" ? scripted(line, number) : scripted;
      if (reply === "close") socket.destroy();
      else if (reply !== "silence") socket.write(reply + "\r\n");
      return reply;
    };
    socket.on("error", () => {});
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("data", (data: Uint8Array) => {
      const got = new TextDecoder("latin1").decode(data);
      this.reads.push(got);
      text += got;
      for (;;) {
        if (inData) {
          const end = text.startsWith(".\r\n") ? 0 : text.indexOf("\r\n.\r\n") + 2;
          if (end === 1) return;
          this.contents.push(text.slice(0, end));
          text = text.slice(end + 3);
          inData = false;
          for (let i = 0; i < (this.lmtp ? accepted : 1); i++) say(".", String(i));
          accepted = 0;
          continue;
        }
        const end = text.indexOf("\r\n");
        if (end < 0) return;
        const line = text.slice(0, end), verb = line.split(" ")[0]!.toUpperCase();
        text = text.slice(end + 2);
        commands.push(line);
        const reply = say(verb, line);
        if (verb === "RCPT" && reply.startsWith("2")) accepted++;
        if (verb === "DATA" && reply.startsWith("354")) inData = true;
        if (verb === "QUIT") socket.end();
      }
    });
    say("CONNECT", "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    await new Promise((resolve) => this.#server.close(() => resolve(0)));
  }
}

/** Settings with the shipped defaults, some of them changed by main.cf name. */
export function settings(
  changed: Record<string, string> = {},
  protocol: Protocol = "smtp",
): SmtpSettings {
  const texts: Record<string, string> = {};
  for (const { name, fallback } of Object.values(smtpParameters)) {
    texts[name] = fallback.startsWith("$") ? "" : fallback;
  }
  Object.assign(texts, {
    myhostname: "me.test",
    mydomain: "test",
    myorigin: "me.test",
    smtp_helo_name: "me.test",
    lmtp_lhlo_name: "me.test",
    smtp_tcp_port: "25",
    inet_protocols: "ipv4",
    // No slow machine ends a session that is to be used again.
    smtp_connection_cache_time_limit: "1h",
    lmtp_connection_cache_time_limit: "1h",
    ...changed,
  });
  return smtpSettings(parseAll(smtpParameters, texts), protocol);
}

export const SEAL = "0123456789abcdef";

export function request(
  nexthop: string,
  recipients: string[] = ["to@example.com"],
  changed: Partial<DeliveryRequest["envelope"]> & { keep?: boolean; size?: number } = {},
): DeliveryRequest {
  const { keep = false, size = 12, ...envelope } = changed;
  return {
    envelope: testEnvelope({
      sender: "from@example.org",
      arrived: Date.now(),
      ...envelope,
    }),
    size,
    nexthop,
    recipients: recipients.map((address, n) => (
      { n, address, original: address, orcpt: "", notify: [] }
    )),
    activeAt: Date.now(),
    keep,
    seal: SEAL,
  };
}

export function content(text = "Subject: x\r\n\r\nbody\r\n"): Content {
  return new Content(new TextEncoder().encode(text), false, () => {});
}

/** Content that comes in chunks; without `end` its sender dies after them. */
export function streamed(chunks: string[], end = true): Content {
  const made = new Content(new Uint8Array(0), true, () => {});
  for (const chunk of chunks) made.push(new TextEncoder().encode(chunk), true);
  if (end) made.push(new Uint8Array(0), false);
  else made.fail(new Error("qmgr died"));
  return made;
}

/** The same content, of which the rest comes when `wait` after the first line is over. */
export function slowly(rest: Content, wait: () => Promise<void>): Content {
  const slow = {
    whole: undefined,
    async *[Symbol.asyncIterator]() {
      yield new TextEncoder().encode("a\r\n");
      await wait();
      yield* rest;
    },
  };
  return slow as unknown as Content;
}

/** Log lines since the last call, severity left out. */
export function logged(): string[] {
  return lines.splice(0);
}
const lines: string[] = [];

export function deliverer(
  made: SmtpSettings = settings(),
  ask: Ask = noDns,
  again: Again = noSecond,
): Deliverer {
  lines.length = 0;
  setSink((_severity, text) => lines.push(text));
  return new Deliverer(made, ask, again, () => 0);
}

const noSecond: Again = () => Promise.reject(new Error("asked for content again"));

const noDns: Ask = (name) => Promise.reject(new Error(`asked for ${name}`));

/** A name server of a few answers: `MX example.com` to `10 mx1.example.com` ..., or a status. */
export function zone(records: Record<string, string[] | DnsAnswer["status"]>): Ask {
  return (name, type) => {
    const found = records[`${type} ${name}`] ?? "nxdomain";
    const empty = { text: "", records: [], secure: false, ttl: 60 };
    if (typeof found === "string") return Promise.resolve({ ...empty, status: found });
    const answers = found.map((text) => {
      const [, preference, data] = /^(?:(\d+) )?(\S*)$/.exec(text)!;
      return { data: data!, preference: Number(preference ?? 0) };
    });
    return Promise.resolve({ ...empty, status: "ok", records: answers });
  };
}

/** Delivers one message to a server with this script; status, dsn and text of each recipient. */
export async function outcomes(
  script: Script,
  changed: Record<string, string> = {},
  recipients?: string[],
) {
  await using server = await new StubServer(script).listen();
  const agent = deliverer(settings(changed));
  const reply = await agent.deliver(request(server.nexthop, recipients), content());
  agent.pool.close();
  return {
    reply,
    server,
    seen: reply.outcomes.sort((a, b) => a.n - b.n).map((each) => [
      each.status,
      each.dsn,
      each.text.replaceAll(String(server.port), "PORT"),
    ]),
  };
}
