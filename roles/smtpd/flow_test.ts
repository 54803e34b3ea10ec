import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Sendable } from "../../shared/ipc/content.ts";
import { type CleanupAnswer, Flow } from "./flow.ts";

const QUEUED: CleanupAnswer = { queued: true, code: 250, dsn: "2.0.0", text: "" };
const KIB = 1024;

async function length(content: Sendable): Promise<number> {
  if (content instanceof Uint8Array) return content.length;
  let total = 0;
  for await (const chunk of content) total += chunk.length;
  return total;
}

Deno.test("Flow hands small content over as one array", async () => {
  let seen: Sendable | undefined;
  const flow = new Flow(new Uint8Array(10), (content) => (seen = content, Promise.resolve(QUEUED)));
  flow.push([new Uint8Array(KIB), new Uint8Array(1)]);
  assertEquals(await flow.finish(), { answer: QUEUED });
  assert(seen instanceof Uint8Array);
  assertEquals(seen.length, 10 + KIB + 1);
});

Deno.test("Flow streams longer content as it comes", async () => {
  let total = 0;
  const flow = new Flow(new Uint8Array(10), async (content) => {
    assert(!(content instanceof Uint8Array));
    total = await length(content);
    return QUEUED;
  });
  for (let n = 0; n < 100; n++) {
    flow.push([new Uint8Array(KIB)]);
    await flow.space();
  }
  assertEquals(await flow.finish(), { answer: QUEUED });
  assertEquals(total, 10 + 100 * KIB);
});

Deno.test("Flow is crowded while cleanup takes nothing, and has space when it does", async () => {
  const taking = Promise.withResolvers<void>();
  const flow = new Flow(new Uint8Array(0), async (content) => {
    await taking.promise;
    await length(content);
    return QUEUED;
  });
  flow.push([new Uint8Array(300 * KIB), new Uint8Array(1)]);
  assertEquals(flow.crowded, true);
  let free = false;
  const space = flow.space().then(() => (free = true));
  await Promise.resolve();
  assertEquals(free, false);
  taking.resolve();
  await space;
  assertEquals(flow.crowded, false);
  await flow.finish();
});

Deno.test("Flow cancels a stream by throwing into it", async () => {
  const reading = Promise.withResolvers<number>();
  const flow = new Flow(new Uint8Array(0), async (content) => {
    await length(content).then(reading.resolve, reading.reject);
    return QUEUED;
  });
  flow.push([new Uint8Array(100 * KIB)]);
  flow.cancel("the client is gone");
  await assertRejects(() => reading.promise, Error, "the client is gone");
});

Deno.test("Flow drops what still comes after cleanup has refused", async () => {
  const refusal = { queued: false, code: 554, dsn: "5.4.0", text: "no" };
  const flow = new Flow(new Uint8Array(0), () => Promise.resolve(refusal));
  flow.push([new Uint8Array(100 * KIB)]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  for (let n = 0; n < 100; n++) flow.push([new Uint8Array(100 * KIB)]);
  assertEquals(flow.crowded, false);
  assertEquals(await flow.finish(), { answer: refusal });
});

Deno.test("Flow tells why cleanup gave no answer", async () => {
  const error = new Error("gone");
  const flow = new Flow(new Uint8Array(0), () => Promise.reject(error));
  assertEquals(await flow.finish(), { error });
});

Deno.test("Flow joins content that comes byte by byte, and keeps its order around longer pieces", async () => {
  const encoder = new TextEncoder();
  const sizes: number[] = [];
  let text = "";
  const flow = new Flow(new Uint8Array(0), async (content) => {
    assert(!(content instanceof Uint8Array));
    for await (const chunk of content) {
      sizes.push(chunk.length);
      text += new TextDecoder().decode(chunk);
    }
    return QUEUED;
  });
  let sent = "";
  const push = async (piece: string) => {
    sent += piece;
    flow.push([encoder.encode(piece)]);
    if (flow.crowded) await flow.space();
  };
  for (let n = 0; n < 200_000; n++) {
    await push(String.fromCharCode(97 + n % 26));
    if (n % 50_000 === 0) await push("LONG".repeat(1000));
  }
  assertEquals(await flow.finish(), { answer: QUEUED });
  assert(text === sent);
  assert(sizes.length < 200, `${sizes.length} chunks for 200,000 pieces`);
});

Deno.test("Flow is crowded with little when all together hold much, and no longer when they are gone", async () => {
  const taking = Promise.withResolvers<void>();
  const submit = async (content: Sendable) => {
    await taking.promise;
    await length(content);
    return QUEUED;
  };
  const others = Array.from({ length: 300 }, () => new Flow(new Uint8Array(0), submit));
  for (const other of others) {
    assertEquals(other.crowded, false);
    other.push([new Uint8Array(250 * KIB)]);
  }
  const flow = new Flow(new Uint8Array(0), submit);
  flow.push([new Uint8Array(100 * KIB)]);
  assertEquals(flow.crowded, true);
  for (const other of others) other.cancel("the client is gone");
  assertEquals(flow.crowded, false);
  taking.resolve();
  assertEquals(await flow.finish(), { answer: QUEUED });
});
