/** An SMTP server that keeps of each message its id and the digest of its body. */

import { Buffer } from "node:buffer";
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { Digest } from "./large_content.ts";

export class DigestSink implements AsyncDisposable {
  /** Digests of the bodies by the messages' ids. */
  readonly digests = new Map<string, string>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
      new Receiver(socket, this.digests);
    });
  }

  static async start(): Promise<DigestSink> {
    const sink = new DigestSink();
    await new Promise<void>((resolve) => sink.#server.listen(0, "127.0.0.1", resolve));
    return sink;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** One session: commands by line, content as it comes. */
class Receiver {
  #held = Buffer.alloc(0);
  #digest: Digest | undefined;

  constructor(readonly socket: Socket, readonly digests: Map<string, string>) {
    socket.write("220 sink\r\n");
    socket.on("data", (chunk: Uint8Array) => {
      this.#held = Buffer.concat([this.#held, chunk]);
      while (this.#digest ? this.#content(this.#digest) : this.#command());
    });
  }

  #command(): boolean {
    const end = this.#held.indexOf("\n");
    if (end < 0) return false;
    const line = this.#held.toString("latin1", 0, end).trimEnd();
    this.#held = this.#held.subarray(end + 1);
    this.socket.write(`${this.#answer(line)}\r\n`);
    if (/^QUIT/i.test(line)) this.socket.end();
    return true;
  }

  #answer(line: string): string {
    switch (line.slice(0, 4).toUpperCase()) {
      case "EHLO":
        return "250-sink\r\n250-PIPELINING\r\n250 8BITMIME";
      case "DATA":
        this.#digest = new Digest("\r\n");
        return "354 go on";
      case "QUIT":
        return "221 bye";
      default:
        return "250 ok";
    }
  }

  /** Takes content up to its end or to a place that cannot be judged yet; true when there may be more to do. */
  #content(digest: Digest): boolean {
    const dot = this.#held.indexOf("\r\n.");
    if (dot < 0) {
      // The last two bytes may belong to an end that has not come whole.
      this.#pass(digest, this.#held.length - 2, 0);
      return false;
    }
    if (dot + 5 > this.#held.length) return false;
    const over = this.#held[dot + 3] === 13 && this.#held[dot + 4] === 10;
    this.#pass(digest, dot + 2, over ? 3 : 1);
    if (!over) return true;
    const { id, digest: value } = digest.finish();
    this.digests.set(id, value);
    this.#digest = undefined;
    this.socket.write("250 kept\r\n");
    return true;
  }

  #pass(digest: Digest, length: number, skip: number): void {
    if (length <= 0) return;
    digest.push(this.#held.subarray(0, length));
    this.#held = this.#held.subarray(length + skip);
  }
}
