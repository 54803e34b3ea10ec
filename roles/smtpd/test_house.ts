/** For tests: sessions over sockets, between services of the test's own. */

import { assert, assertMatch } from "@std/assert";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { setSink } from "../../shared/log/log.ts";
import type { TlsMaterial } from "../../shared/role/control_messages.ts";
import { stubServices, stubSettings } from "../../tests/dialogs/memory.ts";
import { certificate } from "../../tests/support/certificate.ts";
import { Reception } from "./reception.ts";
import type { Services } from "./services.ts";
import { TlsServer } from "./socket.ts";

/** Log lines of all sessions. */
export const log: string[] = [];
setSink((_severity, text) => log.push(text));

const material = ownCertificate();

/** A self-signed certificate for this run. */
function ownCertificate(): TlsMaterial {
  const folder = Deno.makeTempDirSync(), files = certificate(folder);
  assert(files, "openssl is missing");
  const material = {
    key: Deno.readTextFileSync(files.key),
    chain: Deno.readTextFileSync(files.chain),
  };
  Deno.removeSync(folder, { recursive: true });
  return material;
}

export interface House {
  reception: Reception;
  /** Descriptors of connections. */
  open: ReadonlySet<Socket>;
  port: number;
  messages: string[];
  close(): Promise<void>;
}

/** A server whose sessions have these parameters. */
export async function house(
  texts: Record<string, string> = {},
  change: (services: Services) => Services = (services) => services,
): Promise<House> {
  const messages: string[] = [];
  const head: [string, string][] = [["rewrite", "user@here.test local yes"]];
  const services = change({
    ...stubServices(head, "localhost", { time: 0 }, messages),
    clock: { now: Date.now, steady: () => performance.now(), sleep: () => Promise.resolve() },
  });
  const settings = stubSettings({
    smtpd_tls_security_level: "may",
    smtpd_tls_loglevel: "1",
    ...texts,
  }, true);
  const tls = new TlsServer(material, settings.starttlsTimeout);
  const open = new Set<Socket>();
  const reception = new Reception({ service: "smtp", settings, services, tls });
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    open.add(socket.on("close", () => open.delete(socket)));
    reception.accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    reception,
    open,
    messages,
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      await reception.drain();
    },
  };
}

/** A client that reads line by line. */
export class Peer {
  #text = "";
  #ended = false;
  #wake = () => {};

  constructor(readonly socket: Socket) {
    socket.on("data", (data) => {
      this.#text += data;
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    socket.on("close", end).on("error", end);
  }

  /** Sends and reads to the end of one reply; `closed` when there is none. */
  async say(text: string): Promise<string> {
    if (text) this.socket.write(text);
    for (;;) {
      const [reply] = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(this.#text) ?? [];
      if (reply) {
        this.#text = this.#text.slice(reply.length);
        return reply.trimEnd();
      }
      if (this.#ended) return "closed";
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** A client that has been greeted. */
export async function client(port: number): Promise<Peer> {
  const peer = new Peer(connect(port, "127.0.0.1"));
  assertMatch(await peer.say(""), /^220 /);
  return peer;
}

/** Makes the TLS handshake. */
export function secured(plain: Peer): Promise<Peer> {
  plain.socket.removeAllListeners("data");
  return new Promise((resolve, reject) => {
    const socket = tlsConnect(
      { socket: plain.socket, rejectUnauthorized: false },
      () => resolve(new Peer(socket as unknown as Socket)),
    );
    socket.once("error", reject);
  });
}

export const RECIPIENTS = "MAIL FROM:<s@example.com>\r\nRCPT TO:<user@here.test>\r\n";

/** EHLO and a message; the last reply. */
export async function deliver(peer: Peer, content: string): Promise<string> {
  await peer.say("EHLO x\r\n");
  await peer.say(RECIPIENTS);
  await peer.say("");
  await peer.say("DATA\r\n");
  return peer.say(`${content}\r\n.\r\n`);
}
