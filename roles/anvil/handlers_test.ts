import { createServer } from "node:net";
import { assertEquals } from "@std/assert";
import { client } from "../../shared/ipc/client.ts";
import { answer } from "../../shared/ipc/server.ts";
import { anvilService } from "../../shared/protocols/anvil.ts";
import { Counts } from "./counts.ts";
import { handlers } from "./handlers.ts";

const CLIENT = { service: "smtp", client: "192.0.2.1" };

Deno.test("connections end when they are settled, and when the asking process goes away", async () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/s`;
  const answerer = answer(anvilService, handlers(new Counts(60_000)));
  const server = createServer((socket) => answerer.attach(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const [one, two] = [client(anvilService, { path }), client(anvilService, { path })];
  try {
    const first = await one.call("connect", CLIENT);
    await one.call("connect", CLIENT);
    assertEquals((await two.call("connect", CLIENT)).reply.connections, 3);
    first.settle();
    await one.call("event", { ...CLIENT, kind: "message", amount: 1 });
    assertEquals((await two.call("connect", CLIENT)).reply.connections, 3);
    one.close();
    while (answerer.connections > 1) await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals((await two.call("connect", CLIENT)).reply.connections, 3);
  } finally {
    two.close();
    await new Promise((resolve) => server.close(resolve));
    Deno.removeSync(directory, { recursive: true });
  }
});
