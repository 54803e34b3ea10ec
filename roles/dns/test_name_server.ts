/** A name server for tests, which answers as a test says, and resolvers that ask it. */

import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import packet from "dns-packet";
import { setSink } from "../../shared/log/log.ts";
import { parseAll } from "../../shared/parameters/declare.ts";
import { dnsParameters } from "../../shared/parameters/dns.ts";
import { Resolver } from "./resolver.ts";

setSink(() => {});

// deno-lint-ignore no-explicit-any
export type Query = any;
type Answer = Record<string, unknown> | Uint8Array | undefined;

/** A name server on loopback, UDP and TCP on one port; `udp` and `tcp` make the reply to a query. */
export class Stub implements AsyncDisposable {
  queries: { query: Query; port: number; tcp: boolean }[] = [];
  #udp = createSocket("udp4");
  #tcp = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data: Uint8Array) => {
      const query = packet.decode(Buffer.from(data).subarray(2));
      this.queries.push({ query, port: socket.remotePort!, tcp: true });
      const reply = encode(query, (this.tcp ?? this.udp)(query));
      if (!reply) return;
      const framed = new Uint8Array(reply.length + 2);
      new DataView(framed.buffer).setUint16(0, reply.length);
      framed.set(reply, 2);
      // In two pieces: a reader must not take a part for the whole.
      socket.write(framed.subarray(0, 5));
      setTimeout(() => socket.end(framed.subarray(5)), 5);
    });
  });

  constructor(readonly udp: (query: Query) => Answer, readonly tcp?: (query: Query) => Answer) {
    this.#udp.on("message", (data, from) => {
      const query = packet.decode(Buffer.from(data));
      this.queries.push({ query, port: from.port, tcp: false });
      const reply = encode(query, this.udp(query));
      if (reply) this.#udp.send(reply, from.port, from.address);
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#tcp.listen(0, "127.0.0.1", () => resolve()));
    await new Promise<void>((resolve) => this.#udp.bind(this.port, "127.0.0.1", () => resolve()));
    return this;
  }

  get port(): number {
    return (this.#tcp.address() as { port: number }).port;
  }

  get name(): string {
    return `127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#udp.close(() => resolve()));
    await new Promise((resolve) => this.#tcp.close(() => resolve(0)));
  }
}

/** The bytes of an answer to a query: `code`, `flags` and the sections. */
export function encode(query: Query, answer: Answer): Uint8Array | undefined {
  if (!answer || answer instanceof Uint8Array) return answer;
  const { code = 0, flags = 0, ...rest } = answer as { code?: number; flags?: number };
  return packet.encode({
    type: "response",
    id: query.id,
    questions: query.questions,
    flags: flags | code,
    ...rest,
  });
}

/** A resolver that asks these servers, with parameters as they are by default but for those that are changed. */
export function resolver(
  servers: string[],
  changed: Record<string, string> = {},
  udp = true,
  now: () => number = () => 1e6,
): Resolver {
  const texts = Object.fromEntries(Object.values(dnsParameters).map((p) => [p.name, p.fallback]));
  const params = parseAll(dnsParameters, {
    ...texts,
    dns_servers: servers.join(" "),
    dns_timeout: "1s",
    ...changed,
  });
  return new Resolver(params, () => udp, now);
}

/** A record of an address. */
export const A = (name: string, data = "192.0.2.1", ttl = 100) => ({ name, type: "A", ttl, data });
/** What a negative answer says of its time. */
export const SOA = (ttl: number, minimum: number) => ({
  name: "test",
  type: "SOA",
  ttl,
  data: { mname: "ns.test", rname: "root.test", serial: 1, minimum },
});
