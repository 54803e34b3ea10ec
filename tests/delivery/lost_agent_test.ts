/** A delivery agent that is killed in the middle of its work holds mail up for seconds, not for minimal_backoff_time. */

import { assertEquals } from "@std/assert";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";

Deno.test("mail goes out although smtp is killed while the server thinks about it", async () => {
  await using sink = await Sink.start();
  /** Says nothing to the first that comes, and is the sink to all others. */
  let connections = 0;
  const sockets = new Set<Socket>();
  const door = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    if (connections++ === 0) return void socket.resume();
    const inner = connect(sink.port, "127.0.0.1");
    inner.on("error", () => socket.destroy());
    socket.pipe(inner).pipe(socket);
  });
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  const { port } = door.address() as AddressInfo;
  {
    await using system = await System.start({ sink: `smtp:[127.0.0.1]:${port}` });
    const id = await system.send("u1@sink.test");
    await system.until(() => connections > 0);
    assertEquals(system.kill("smtp"), 1);
    await system.until(() => sink.received.length === 1);
    await system.untilSaid(`${id}: removed`);
    assertEquals(system.output.includes("status=deferred"), false);
  }
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => door.close(resolve));
});
