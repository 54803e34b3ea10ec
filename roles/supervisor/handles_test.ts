/** `_createServerHandle` is node's private API: these tests say when a new Deno changes it. */

import { assertEquals, assertThrows } from "@std/assert";
import { connect, createServer } from "node:net";
import { ConfigError } from "../../shared/errors.ts";
import { bindInet, bindUnix } from "./handles.ts";

function greeting(where: { path: string } | { port: number; host: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(where);
    socket.on("data", (data: Uint8Array) => {
      socket.destroy();
      resolve(new TextDecoder().decode(data));
    });
    socket.on("error", reject);
  });
}

Deno.test("bindInet() makes a handle that a server can listen on", async () => {
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr as Deno.NetAddr;
  probe.close();
  const server = createServer((socket) => socket.end("hello"));
  server.listen(bindInet("127.0.0.1", port, "master.cf: test") as object);
  assertEquals(await greeting({ host: "127.0.0.1", port }), "hello");
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("bindUnix() makes a handle that a server can listen on", async () => {
  const directory = Deno.makeTempDirSync();
  const server = createServer((socket) => socket.end("hello"));
  server.listen(bindUnix(`${directory}/s`) as object);
  assertEquals(await greeting({ path: `${directory}/s` }), "hello");
  await new Promise((resolve) => server.close(resolve));
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("bindInet() says which line of master.cf cannot be bound, and why", () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const error = assertThrows(() => bindInet("127.0.0.1", port, "master.cf: smtp"), ConfigError);
  assertEquals(
    error.message,
    `master.cf: smtp: cannot listen on 127.0.0.1 port ${port}: address already in use: is another mail system running?`,
  );
  taken.close();
});
