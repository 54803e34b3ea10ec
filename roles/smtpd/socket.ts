/** A session's transport over a socket, plain or TLS (RFC 3207). */

import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { PeerError } from "../../shared/errors.ts";
import { TLS_LOST, TLS_TIMEOUT } from "../../shared/log/lines.ts";
import type { TlsMaterial } from "../../shared/role/control_messages.ts";
import { timerMs } from "../../shared/timer.ts";
import type { TlsSession } from "./session.ts";
import type { Transport, Wire } from "./wire.ts";

/** Closed for good this long after the last reply, whether the client has read it or not. */
export const LINGER_MS = 5000;

/** Writes to a socket. */
export function transport(socket: Socket): Transport {
  return {
    write: (text) => !socket.writable || socket.write(text),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    // TLS has a farewell of its own to send.
    end: (done) => (done && !("encrypted" in socket) ? leave(socket) : linger(socket)),
  };
}

/**
 * Closes as soon as the last reply is with the kernel. Many clients do not wait for it: to read on would bring nothing
 * but an error, and errors are expensive.
 */
function leave(socket: Socket): void {
  socket.pause();
  setImmediate(() => {
    if (socket.writableLength) linger(socket);
    else socket.destroy();
  });
}

/** Lets a client that still sends read our last reply: to close at once would take it away. */
function linger(socket: Socket): void {
  socket.end();
  // Most clients close at once, and then no timer is needed.
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
}

/** Directs what a socket receives to a wire; gives the function that stops this. */
export function feed(socket: Socket, wire: Wire): () => void {
  const data = (chunk: Uint8Array) => wire.push(chunk);
  const ended = () => wire.ended();
  const closed = () => wire.closed();
  const drained = () => wire.drained();
  socket.on("data", data).on("end", ended).on("close", closed).on("error", closed)
    .on("drain", drained);
  return () => {
    socket.off("data", data).off("end", ended).off("close", closed).off("error", closed)
      .off("drain", drained);
  };
}

interface Waiting {
  resolve(socket: TLSSocket): void;
  reject(error: Error): void;
}

/** Makes TLS sessions of plain connections; one for the process. */
export class TlsServer {
  #server: Server;
  #waiting = new WeakMap<object, Waiting>();

  constructor(material: TlsMaterial, readonly timeoutSeconds: number) {
    this.#server = createServer({ cert: material.chain, key: material.key, minVersion: "TLSv1.2" });
    this.#server.on("secureConnection", (socket) => this.#take(socket)?.resolve(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#take(socket)?.reject(error));
  }

  /** The handshake; what comes through it goes to `wire`. Rejects with PeerError. */
  async handshake(socket: Socket, wire: Wire): Promise<TlsSession> {
    const tls = await this.#secure(socket);
    feed(tls, wire);
    return describe(tls);
  }

  #secure(socket: Socket): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        this.#waiting.delete(socket);
        clearTimeout(timer);
        socket.destroy();
        reject(new PeerError(why));
      };
      const timer = setTimeout(() => fail(TLS_TIMEOUT), timerMs(this.timeoutSeconds));
      const closed = () => fail(TLS_LOST);
      // Whoever ends its side before the handshake is over is gone.
      if (socket.readableEnded || socket.destroyed) return closed();
      socket.allowHalfOpen = false;
      socket.once("close", closed);
      // An error is always followed by close, but unheard it would end the process.
      socket.on("error", () => {});
      this.#waiting.set(socket, {
        resolve(secure) {
          clearTimeout(timer);
          socket.off("close", closed);
          secure.allowHalfOpen = true;
          resolve(secure);
        },
        reject: (error) => fail(error.message),
      });
      this.#server.emit("connection", socket);
    });
  }

  #take(secure: TLSSocket): Waiting | undefined {
    // The socket that the TLS session was made of has no public name.
    const plain = (secure as unknown as { _parent?: object })._parent;
    const waiting = plain && this.#waiting.get(plain);
    if (plain) this.#waiting.delete(plain);
    if (!waiting) secure.destroy();
    return waiting;
  }
}

function describe(socket: TLSSocket): TlsSession {
  const { name } = socket.getCipher();
  return {
    transport: transport(socket),
    protocol: socket.getProtocol() ?? "TLS",
    cipher: name,
    bits: name.includes("128") ? 128 : 256,
  };
}
