import { assertEquals } from "@std/assert";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { Connection } from "./connection.ts";
import { Kind } from "./frame.ts";

/** A socket whose kernel takes everything at once: it never fills up, so it never drains. */
class Swift extends EventEmitter {
  readonly writableLength = 0;
  written = 0;

  write(bytes: Uint8Array): boolean {
    this.written += bytes.length;
    return true;
  }

  destroy(): void {}
}

Deno.test("room() comes back when the kernel takes all that waited, without a drain event", async () => {
  const socket = new Swift();
  const connection = new Connection(socket as unknown as Socket, () => 0, () => {}, () => {});
  const chunk = new Uint8Array(64 * 1024);
  for (let i = 0; i < 32; i++) connection.send(Kind.CHUNK, 0, 1, undefined, chunk);
  await connection.room();
  assertEquals(socket.written > 32 * chunk.length, true);
  assertEquals(connection.room(), undefined);
});
