import { assert, assertEquals } from "@std/assert";
import { EventEmitter } from "node:events";
import { connect, type Socket } from "node:net";
import { Stage } from "../../tests/support/ipc.ts";
import { turn, until } from "../../tests/support/waiting.ts";
import { Connection } from "./connection.ts";
import { once, type Sendable, sendContent, type Sender } from "./content.ts";
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
  await connection.room()?.there;
  assertEquals(socket.written > 32 * chunk.length, true);
  assertEquals(connection.room(), undefined);
});

Deno.test("content that nobody waits for any more does not wait for a stalled reader", async () => {
  await using stage = new Stage();
  let reader: Socket | undefined;
  await stage.listen((socket) => reader = socket.pause());
  const connection = new Connection(connect(stage.path), () => 0, () => {}, () => {});
  await until(() => reader !== undefined);
  const send = (content: Sendable): [Sender, Promise<void>] => {
    let sender: Sender;
    const sent = sendContent(connection, Kind.REPLY, 0, 1, new Uint8Array(2), content, (made) => {
      sender = made;
    });
    return [sender!, sent];
  };
  const large = new Uint8Array(200_000);
  const [first, firstSent] = send(once(large));
  connection.send(Kind.REPLY, 0, 0, undefined, new Uint8Array(8_000_000));
  const [second, secondSent] = send(once(large)), [third, thirdSent] = send(new Uint8Array(1000));
  await turn();
  for (const sender of [first, second, third]) sender.stop();
  await Promise.all([firstSent, secondSent, thirdSent]);
  connection.destroy("over");
});

Deno.test("frames that wait for a stalled reader take no more memory than they are long", async () => {
  await using stage = new Stage();
  let reader: Socket | undefined;
  await stage.listen((socket) => reader = socket.pause());
  const sender = new Connection(connect(stage.path), () => 0, () => {}, () => {});
  await until(() => reader !== undefined);
  sender.send(Kind.REPLY, 0, 0, undefined, new Uint8Array(500_000));
  await turn();
  const before = Deno.memoryUsage().external;
  for (let i = 0; i < 300; i++) {
    for (const part of [1, 2]) sender.send(Kind.CREDIT, 0, part, undefined, new Uint8Array(4));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert(Deno.memoryUsage().external - before < 4_000_000);
  sender.destroy("over");
});

Deno.test("frames that a stalled reader has made wait arrive as they were sent", async () => {
  await using stage = new Stage();
  let reader: Socket | undefined;
  await stage.listen((socket) => reader = socket.pause());
  const arrived: string[] = [];
  const sender = new Connection(connect(stage.path), () => 0, () => {}, () => {});
  await until(() => reader !== undefined);
  new Connection(
    reader!,
    () => 0,
    ({ payload }) => arrived.push(`${payload.length} ${new Set(payload).size} ${payload[0]}`),
    () => {},
  );
  reader!.pause();
  const sent: string[] = [];
  // More than any socket holds, in several writes; some of the frames are longer than one of them.
  for (let i = 0; i < 400; i++) {
    const length = i % 50 ? 3000 : 70_000;
    sent.push(`${length} 1 ${i % 251}`);
    sender.send(Kind.REPLY, 0, i, undefined, new Uint8Array(length).fill(i % 251));
    if (i % 20 === 0) await turn();
  }
  assertEquals(arrived.length < sent.length, true);
  reader!.resume();
  await until(() => arrived.length === sent.length);
  assertEquals(arrived, sent);
  sender.end();
});
