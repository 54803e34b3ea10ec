/** A name server on loopback that knows a few records. */

import { createSocket } from "node:dgram";
import { Buffer } from "node:buffer";
import packet from "dns-packet";

export class NameServer implements AsyncDisposable {
  #socket = createSocket("udp4");

  private constructor() {}

  /** `records` has the data of a record by `NAME TYPE`; whatever is not there does not exist. */
  static async start(records: Readonly<Record<string, unknown>>): Promise<NameServer> {
    const server = new NameServer();
    server.#socket.on("message", (data, from) => {
      const query = packet.decode(Buffer.from(data));
      const { name, type } = query.questions![0]!;
      const record = records[`${name.toLowerCase()} ${type}`];
      const answers = record === undefined ? [] : [{ name, type, ttl: 60, data: record }];
      const reply = packet.encode({
        type: "response",
        id: query.id!,
        flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE,
        questions: query.questions!,
        // deno-lint-ignore no-explicit-any
        answers: answers as any,
      });
      server.#socket.send(reply, from.port, from.address);
    });
    await new Promise<void>((resolve) => server.#socket.bind(0, "127.0.0.1", () => resolve()));
    return server;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}
