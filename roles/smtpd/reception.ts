/** Takes connections, runs a session for each, and keeps time for all of them. */

import type { Socket } from "node:net";
import { reason } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import { plainAddress } from "../../shared/net/network.ts";
import { reply } from "../../shared/smtp/reply.ts";
import type { Services } from "./services.ts";
import { type Peer, Session, type TlsSession } from "./session.ts";
import type { Settings } from "./settings.ts";
import { feed, type TlsServer, transport } from "./socket.ts";
import { Wire } from "./wire.ts";

/** How often the deadlines of all sessions are looked at: no timer per session. */
const TICK_MS = 1000;
const BUSY = reply(421, "4.3.2", "All server ports are busy");

export interface House {
  readonly service: string;
  readonly settings: Settings;
  readonly services: Services;
  readonly tls: TlsServer | undefined;
}

export class Reception {
  #sessions = new Set<Session>();
  #ticking: ReturnType<typeof setInterval> | undefined;
  #breakingOff: ReturnType<typeof setTimeout> | undefined;
  #drained: (() => void) | undefined;

  constructor(readonly house: House) {}

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Begins a session with a client. */
  accept(socket: Socket): void {
    // Unheard, an error of one connection would end the process.
    socket.on("error", () => {});
    const { settings } = this.house;
    // A client that is gone already has no address.
    if (!socket.remoteAddress) return void socket.destroy();
    if (this.#sessions.size >= settings.sessionLimit) {
      warning(`all ${settings.sessionLimit} sessions are in use: see smtpd_session_limit`);
      // Nothing that this client does may keep its descriptor in use.
      return void socket.end(BUSY.wire, () => socket.destroy());
    }
    this.#serve(socket).catch((error) => warning(`session: ${reason(error)}`));
  }

  /** The system ends: sessions end where they wait for a command, and after `ms` wherever they are. */
  stop(ms: number): void {
    for (const session of this.#sessions) session.stop();
    this.#breakingOff = setTimeout(() => {
      for (const session of this.#sessions) session.breakOff();
    }, ms);
    this.#changed();
  }

  /** Resolves when the last session has ended; they are not hurried. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.#changed();
    });
  }

  async #serve(socket: Socket): Promise<void> {
    const { settings, services, service, tls } = this.house;
    const peer: Peer = {
      address: plainAddress(socket.remoteAddress!),
      port: socket.remotePort ?? 0,
      transport: transport(socket),
      ...(tls && { startTls: (wire: Wire) => this.#upgrade(socket, wire, () => stop()) }),
    };
    const session = new Session(peer, service, settings, services);
    let stop = () => {};
    this.#sessions.add(session);
    this.#changed();
    try {
      if (!settings.tlsWrappermode) stop = feed(socket, session.wire);
      await session.run();
    } finally {
      this.#sessions.delete(session);
      this.#changed();
    }
  }

  #upgrade(socket: Socket, wire: Wire, stop: () => void): Promise<TlsSession> {
    stop();
    return this.house.tls!.handshake(socket, wire);
  }

  #changed(): void {
    if (this.#sessions.size && this.#ticking === undefined) {
      this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    } else if (this.#sessions.size === 0) {
      clearInterval(this.#ticking);
      clearTimeout(this.#breakingOff);
      this.#ticking = undefined;
      this.#drained?.();
    }
  }

  #tick(): void {
    const now = this.house.services.clock.steady();
    for (const session of this.#sessions) session.wire.tick(now);
  }
}
