/** A server that fails in the middle of a large message: the next one gets all of it, in the same attempt. */

import { assert, assertEquals } from "@std/assert";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";

/** More than is under way between any two roles, and than the database holds. */
const LARGE = "Subject: large\n\n" + `${"0123456789".repeat(7)}\n`.repeat(20_000);

/** Takes mail until `bytes` of content have come, and hangs up. */
class Breaking implements AsyncDisposable {
  sessions = 0;
  #server: Server;
  #sockets = new Set<Socket>();

  constructor(readonly bytes: number) {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  listen(): Promise<this> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve(this)));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    this.sessions++;
    let content = -1;
    socket.on("error", () => {});
    socket.on("data", (data: Uint8Array) => {
      if (content >= 0) content += data.length;
      if (content > this.bytes) return void socket.destroy();
      if (content >= 0) return;
      for (const line of new TextDecoder().decode(data).split("\r\n").slice(0, -1)) {
        if (line === "DATA") content = 0;
        socket.write(line === "DATA" ? "354 go\r\n" : "250 ok\r\n");
      }
    });
    socket.write("220 breaking\r\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

Deno.test("a large message goes to the next server when one breaks off in its middle", async () => {
  await using breaking = await new Breaking(500_000).listen();
  await using second = await Sink.start();
  await using system = await System.start({
    sink: `smtp:[127.0.0.1]:${breaking.port}`,
    main: `smtp_fallback_relay = [127.0.0.1]:${second.port}`,
  });
  const id = await system.send("u1@sink.test", LARGE);
  await system.until(() => second.received.length === 1);
  await system.untilEmpty();
  assertEquals(breaking.sessions, 1);
  const { content } = second.received[0]!;
  const got = content.slice(content.indexOf("Subject:")).replaceAll("\r\n", "\n");
  assert(got.trimEnd() === LARGE.trimEnd(), `${got.length} other characters came`);
  // All of it may be on its way, in the sockets' buffers, before the server has read so much.
  await system.untilSaid(`${id}: lost connection with \\S+ while sending (message|end of data)`);
  await system.untilSaid(`${id}: to=<u1@sink.test>, relay=\\S+, .*status=sent`);
});

Deno.test("a large message goes to the next server for those whom the first one put off", async () => {
  await using first = await Sink.start({
    answer: (line) => line.startsWith("RCPT TO:<slow") ? "450 4.2.0 later" : undefined,
  });
  await using second = await Sink.start();
  await using system = await System.start({
    sink: `smtp:[127.0.0.1]:${first.port}`,
    main: `smtp_fallback_relay = [127.0.0.1]:${second.port}`,
  });
  using client = await system.client();
  await client.message("s@src.test", ["slow@sink.test", "quick@sink.test"], LARGE);
  await system.until(() => second.received.length === 1 && first.received.length === 1);
  assertEquals([first.received[0]!.to, second.received[0]!.to], [
    ["quick@sink.test"],
    ["slow@sink.test"],
  ]);
  assert(second.received[0]!.content === first.received[0]!.content, "it came with other content");
});
