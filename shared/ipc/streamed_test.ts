import { assertEquals, assertRejects } from "@std/assert";
import { bytes, Stage } from "../../tests/support/ipc.ts";
import { turn, until } from "../../tests/support/waiting.ts";
import { call, service } from "./declare.ts";
import { count, shape } from "./schema.ts";
import { Streamed } from "./server.ts";

const MIB = 1024 * 1024;
const depot = service("depot", {
  get: call({
    request: shape({ bytes: count() }),
    reply: shape({}),
    contentOut: true,
    deadlineSeconds: 60,
  }),
});

async function size(content: AsyncIterable<Uint8Array>): Promise<number> {
  let sum = 0;
  for await (const chunk of content) sum += chunk.length;
  return sum;
}

Deno.test("a streamed answer hears once that it is over: sent, left, or no longer wanted", async () => {
  await using stage = new Stage();
  const begun = Promise.withResolvers<void>(), may = Promise.withResolvers<void>();
  let overs = 0;
  await stage.answer(depot, {
    get: async ({ bytes: total }) => {
      if (total === 1) {
        begun.resolve();
        await may.promise;
      }
      return new Streamed({}, bytes(total), () => void overs++);
    },
  });
  const client = stage.client(depot), other = stage.client(depot);
  const get = async (total: number) => (await client.call("get", { bytes: total })).content;
  assertEquals(await size(await get(10 * MIB)), 10 * MIB);
  assertEquals(overs, 1);
  for await (const _ of await get(10 * MIB)) break;
  await until(() => overs === 2);
  const unread = await other.call("get", { bytes: 10 * MIB });
  await turn();
  assertEquals([overs, unread.content.whole], [2, undefined]);
  other.close();
  await until(() => overs === 3);
  const late = assertRejects(() => get(1));
  await begun.promise;
  client.close();
  await late;
  await until(() => stage.accepted.size === 0);
  may.resolve();
  await until(() => overs === 4);
});
