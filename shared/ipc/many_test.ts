/** Many conversations at a time on one connection: what they hold together is bounded. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Socket } from "node:net";
import { Stage } from "../../tests/support/ipc.ts";
import { turn, until } from "../../tests/support/waiting.ts";
import { type Content, WINDOW_BYTES } from "./content.ts";
import { call, service } from "./declare.ts";
import { CallError } from "./failure.ts";
import { count, shape, Type } from "./schema.ts";
import { answer, IN_HAND } from "./server.ts";

const MIB = 1024 * 1024;
/** What all conversations of a process may have unread before each gets less. */
const UNREAD_BYTES = 64 * MIB;

const depot = service("depot", {
  put: call({
    request: shape({}),
    reply: shape({ bytes: count() }),
    contentIn: true,
    deadlineSeconds: 0,
  }),
});

async function size(content: Content): Promise<number> {
  let total = 0;
  for await (const chunk of content) total += chunk.length;
  return total;
}

/** A source that counts what was asked of it. */
function counted(total: number): { taken: { bytes: number }; source: AsyncIterable<Uint8Array> } {
  const taken = { bytes: 0 };
  async function* source() {
    for (; taken.bytes < total; taken.bytes += 60_000) {
      yield await Promise.resolve(new Uint8Array(60_000));
    }
  }
  return { taken, source: source() };
}

Deno.test("many streams whose readers stall hold less each, go on when they are read, and leave the others their window", async () => {
  await using stage = new Stage();
  let reading = Promise.withResolvers<void>();
  await stage.answer(depot, {
    put: async (_, { content }) => {
      await reading.promise;
      return { bytes: await size(content) };
    },
  });
  const client = stage.client(depot);
  const streams = Array.from({ length: 700 }, () => counted(600_000));
  const puts = streams.map(({ source }) => client.call("put", {}, source));
  const held = () => streams.reduce((sum, { taken }) => sum + taken.bytes, 0);
  let before = -1;
  await until(() => before === (before = held()) && before > UNREAD_BYTES);
  await turn(300);
  assert(held() < UNREAD_BYTES + 35 * MIB, `700 streams hold ${Math.round(held() / MIB)} MiB`);
  reading.resolve();
  for (const put of puts) assertEquals((await put).reply.bytes, 600_000);

  reading = Promise.withResolvers();
  const { taken, source } = counted(6_000_000);
  const put = client.call("put", {}, source);
  await until(() => taken.bytes > WINDOW_BYTES - 60_000);
  reading.resolve();
  assertEquals((await put).reply.bytes, 6_000_000);
});

Deno.test("a thousand large requests wait for a peer that is busy, and none ends the connection", async () => {
  await using stage = new Stage();
  const sockets: Socket[] = [];
  await stage.listen((socket) => {
    socket.pause();
    sockets.push(socket);
  });
  const client = stage.client(depot);
  const failures: unknown[] = [];
  const puts = Array.from({ length: 1000 }, () => {
    const put = client.call("put", {}, new Uint8Array(100_000));
    put.catch((error) => failures.push(error));
    return put;
  });
  await until(() => sockets.length === 1);
  await turn(300);
  assertEquals(failures, []);
  const answerer = answer(depot, {
    put: async (_, { content }) => ({ bytes: await size(content) }),
  });
  answerer.attach(sockets[0]!);
  sockets[0]!.resume();
  for (const put of puts) assertEquals((await put).reply.bytes, 100_000);
});

Deno.test("requests whose content never comes hold so much and no more, and short ones go on", async () => {
  await using stage = new Stage();
  const lists = service("lists", {
    put: call({
      request: shape({ names: Type.Array(Type.String()) }),
      reply: shape({ bytes: count() }),
      contentIn: true,
      headerBytes: 4 * MIB,
      deadlineSeconds: 0,
    }),
  });
  const answerer = await stage.answer(lists, {
    put: async (_, { content }) => ({ bytes: await size(content) }),
  });
  const client = stage.client(lists);
  const long = { names: Array.from({ length: 3000 }, () => "x".repeat(1000)) };
  const ended = Promise.withResolvers<void>();
  async function* never() {
    await ended.promise;
    yield new Uint8Array(0);
  }
  const puts = Array.from({ length: 30 }, () => client.call("put", long, never()));
  const settled = Promise.allSettled(puts);
  const failure = await assertRejects(() => puts.at(-1)!, CallError, "no room in memory");
  assertEquals(failure.code, "storage");
  assertEquals(answerer.busy, 22);
  assert(IN_HAND.taken > 60 * MIB && IN_HAND.taken <= 64 * MIB);
  assertEquals((await client.call("put", { names: [] }, new Uint8Array(5))).reply.bytes, 5);

  client.close();
  await until(() => IN_HAND.taken === 0);
  assertEquals((await client.call("put", long, new Uint8Array(5))).reply.bytes, 5);
  assertEquals(IN_HAND.taken, 0);
  ended.resolve();
  await settled;
});
