/**
 * A session in memory for a dialog, between stubs that the dialog's first lines describe:
 *
 *   # parameter: NAME = VALUE          main.cf text; defaults otherwise, with myhostname mail.here.test
 *   # client: ADDRESS NAME             192.0.2.1 client.example otherwise
 *   # rewrite: ADDRESS CLASS LISTED    `@domain` for all others there; `fail` for a failing table; class default otherwise
 *   # cleanup: CODE DSN TEXT           what cleanup says instead of taking the message; `error CODE` when it fails
 *   # dns: NAME TYPE STATUS [DATA]     nxdomain otherwise
 *   # anvil: NUMBER                    what anvil counts; 1 otherwise
 *   # tls: yes                         STARTTLS is possible; the handshake is skipped
 */

import { Budget } from "../../shared/budget.ts";
import { CallError, type FailureCode } from "../../shared/ipc/failure.ts";
import { setSink } from "../../shared/log/log.ts";
import { queueIdSource } from "../../shared/mail/queue_id.ts";
import { parseAll } from "../../shared/parameters/declare.ts";
import { smtpdParameters } from "../../shared/parameters/smtpd.ts";
import type { AddressClass } from "../../shared/protocols/rewrite.ts";
import type { Recipient as RecipientAnswer } from "../../shared/rewrite_cache.ts";
import type { Maybe, Services } from "../../roles/smtpd/services.ts";
import { type Peer, Session } from "../../roles/smtpd/session.ts";
import { type Settings, settings } from "../../roles/smtpd/settings.ts";
import type { Transport } from "../../roles/smtpd/wire.ts";
import { Space } from "../../roles/smtpd/space.ts";
import { type Connection, directives } from "./dialog.ts";
import { textOf } from "../support/content.ts";
import { pause } from "../support/waiting.ts";

/** Everything that a dialog's head says. */
type Head = [word: string, value: string][];

/** The settings of the defaults, changed by main.cf texts. */
export function stubSettings(texts: Record<string, string> = {}, tls = false): Settings {
  const all: Record<string, string> = {};
  const value = (name: string): string => {
    if (texts[name] !== undefined) return texts[name];
    const fallback = Object.values(smtpdParameters).find((each) => each.name === name)?.fallback;
    return (fallback ?? "").replace(/\$\{stress\?\{.*?\}:\{(.*?)\}\}/g, "$1")
      .replace(/\$([a-z0-9_]+)/g, (_, name) => value(name));
  };
  for (const { name } of Object.values(smtpdParameters)) all[name] = value(name);
  all["myhostname"] = "mail.here.test";
  all["smtpd_banner"] = texts["smtpd_banner"] ?? "mail.here.test ESMTP Postern";
  return settings(parseAll(smtpdParameters, all), tls);
}

/** A connection to a new session. */
export function connectInMemory(text: string): Connection {
  const head = directives(text);
  const texts = Object.fromEntries(
    values(head, "parameter").map((line) => {
      const [, name, value] = /^(\S+) *= *(.*)$/.exec(line)!;
      return [name!, value!];
    }),
  );
  const [address = "192.0.2.1", name = "client.example"] = values(head, "client")[0]?.split(" ") ??
    [];
  const tls = values(head, "tls").length > 0;
  const log: string[] = [], messages: string[] = [];
  setSink((severity, text) => log.push(severity === "info" ? text : `${severity}: ${text}`));
  const clock = { time: Date.UTC(2026, 6, 6, 8, 0, 0) };
  const pipe = new Pipe();
  const peer: Peer = {
    address,
    port: 40000,
    transport: pipe,
    ...(tls && {
      startTls: () =>
        Promise.resolve({
          transport: pipe,
          protocol: "TLSv1.3",
          cipher: "TLS_AES_256_GCM_SHA384",
          bits: 256,
        }),
    }),
  };
  const session = new Session(
    peer,
    "smtp",
    stubSettings(texts, tls),
    stubServices(head, name, clock, messages),
  );
  session.run();
  return {
    send: (bytes) => session.wire.push(bytes),
    receive: () => pipe.receive(),
    close: () => session.wire.closed(),
    memory: {
      log,
      messages,
      settle,
      async pass(seconds) {
        // What was sent before was heard before.
        await settle();
        clock.time += seconds * 1000;
        session.wire.tick(clock.time);
        await settle();
      },
    },
  };
}

/** Until everything that can go on without time has gone on. */
function settle(): Promise<void> {
  return pause(0);
}

function values(head: Head, word: string): string[] {
  return head.filter(([each]) => each === word).map(([, value]) => value);
}

export function stubServices(
  head: Head,
  name: string,
  clock: { time: number },
  messages: string[],
): Services {
  const now = () => clock.time, steady = now;
  const count = Number(values(head, "anvil")[0] ?? 1);
  const rewrites = new Map(
    values(head, "rewrite").map((line) => {
      const [address, ...rest] = line.split(" ");
      return [address!, rest];
    }),
  );
  const bodies = new Map<string, string>();
  return {
    clock: { now, steady, sleep: (ms) => (clock.time += ms, Promise.resolve()) },
    space: new Space(),
    recipients: new Budget("recipients", 1 << 20, 1 << 14),
    anvil: {
      connect: () => Promise.resolve({ connections: count, rate: count, disconnect: () => {} }),
      event: () => Promise.resolve(count),
    },
    recipient: (_sender, address) => recipient(rewrites, address),
    async submit(envelope, recipients, content, _local, body) {
      const text = await textOf(content) + (body === undefined ? "" : bodies.get(body)!);
      const [verdict] = values(head, "cleanup");
      const [, failure] = /^error ([a-z]+)$/.exec(verdict ?? "") ?? [];
      if (failure) throw new CallError(failure as FailureCode, `cleanup: ${failure}`);
      const [, code, dsn, reason] = /^([0-9]+) (\S+) (.*)$/.exec(verdict ?? "") ?? [];
      if (code) return { queued: false, code: Number(code), dsn: dsn!, text: reason! };
      const to = recipients.map(({ address }) => `<${address}>`).join(",");
      const escaped = text.replaceAll("\r", "\\r").replaceAll("\n", "\\n").replaceAll("\0", "\\0");
      messages.push(`from=<${envelope.sender}> to=${to} ${escaped}`);
      return { queued: true, code: 250, dsn: "2.0.0", text: "" };
    },
    async keepBody(_queueId, key, body) {
      bodies.set(key, await textOf(body));
      return () => bodies.delete(key);
    },
    query: (name, type) => {
      const line = values(head, "dns").find((each) => each.startsWith(`${name} ${type} `));
      const [, , status = "nxdomain", ...data] = line?.split(" ") ?? [];
      return Promise.resolve({
        status: status as "ok",
        text: "",
        records: data.map((data) => ({ data, preference: 0 })),
        secure: false,
        ttl: 60,
      });
    },
    peerName: () => name,
    queueId: queueIdSource(now, 1),
  };
}

/** What error and retry say. */
const NEXTHOPS: Readonly<Record<string, string>> = {
  error: "5.1.6 moved away",
  retry: "4.2.2 mailbox is moving",
};

function recipient(rewrites: Map<string, string[]>, address: string): Maybe<RecipientAnswer> {
  const domain = address.slice(address.lastIndexOf("@"));
  const [kind = "default", listed = "any"] = rewrites.get(address) ?? rewrites.get(domain) ?? [];
  if (kind === "unavailable") return Promise.reject(new CallError("unavailable", "rewrite: gone"));
  const fail = kind === "fail", error = kind === "error";
  return {
    resolved: {
      transport: listed === "retry" ? "retry" : "smtp",
      nexthop: NEXTHOPS[listed] ?? domain.slice(1),
      recipient: address,
      class: (fail || error ? "default" : kind) as AddressClass,
      routed: false,
      error,
      fail,
    },
    listed: (listed === "retry" ? "error" : listed) as RecipientAnswer["listed"],
  };
}

/** What the session writes. */
export class Pipe implements Transport {
  #chunks: Uint8Array[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  write(text: string): boolean {
    this.#chunks.push(new TextEncoder().encode(text));
    this.#wake?.();
    return true;
  }

  pause(): void {}
  resume(): void {}

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async receive(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk || this.#ended) return chunk;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
