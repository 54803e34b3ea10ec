/** A service and its callers in one process, over a real unix socket. */

import { createServer, type Server, type Socket } from "node:net";
import { type Client, client, type Reach } from "../../shared/ipc/client.ts";
import type { Calls, Service } from "../../shared/ipc/declare.ts";
import { answer, type Answerer, type Handlers } from "../../shared/ipc/server.ts";
import { turn } from "./waiting.ts";

/** A unix socket in a temporary directory, what answers on it, and the end of both. */
export class Stage implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "postern-ipc-" });
  readonly path = `${this.directory}/socket`;
  readonly accepted = new Set<Socket>();
  #servers: Server[] = [];
  #clients: { close(): void }[] = [];

  /** Gives every connection to `accept`. */
  async listen(accept: (socket: Socket) => void): Promise<Server> {
    const server = createServer((socket) => {
      this.accepted.add(socket);
      socket.on("close", () => this.accepted.delete(socket));
      socket.on("error", () => {});
      accept(socket);
    });
    await new Promise<void>((resolve) => server.listen(this.path, resolve));
    this.#servers.push(server);
    return server;
  }

  async answer<C extends Calls>(service: Service<C>, handlers: Handlers<C>): Promise<Answerer> {
    const answerer = answer(service, handlers);
    await this.listen((socket) => answerer.attach(socket));
    return answerer;
  }

  client<C extends Calls>(service: Service<C>, reach: Partial<Reach> = {}): Client<C> {
    const made = client(service, { path: this.path, ...reach });
    this.#clients.push(made);
    return made;
  }

  /** As if the answering process were killed: no more listener, every connection cut. */
  async kill(): Promise<void> {
    const servers = this.#servers.splice(0);
    for (const socket of this.accepted) socket.destroy();
    await Promise.all(servers.map((each) => new Promise((resolve) => each.close(resolve))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#clients) each.close();
    await this.kill();
    await Deno.remove(this.directory, { recursive: true });
    await turn();
  }
}

/** `total` bytes in chunks of `size`, made as they are asked for. */
export async function* bytes(total: number, size = 60_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < total; at += size) {
    yield new Uint8Array(Math.min(size, total - at)).fill(at / size & 0xff);
  }
}
