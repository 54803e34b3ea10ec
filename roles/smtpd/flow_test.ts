import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Sendable } from "../../shared/ipc/content.ts";
import { textBytes } from "../../shared/bytes.ts";
import { type CleanupAnswer, Flow, type Outlets } from "./flow.ts";

const QUEUED: CleanupAnswer = { queued: true, code: 250, dsn: "2.0.0", text: "" };
const KIB = 1024;

/** For content without a head: all of it goes to cleanup. */
function toCleanup(submit: Outlets["submit"]): Outlets {
  return { submit, keepBody: () => Promise.reject(new Error("there is no head")) };
}

async function length(content: Sendable): Promise<number> {
  if (content instanceof Uint8Array) return content.length;
  let total = 0;
  for await (const chunk of content) total += chunk.length;
  return total;
}

Deno.test("Flow hands small content over as one array", async () => {
  let seen: Sendable | undefined;
  const flow = new Flow(
    new Uint8Array(10),
    toCleanup((content) => (seen = content, Promise.resolve(QUEUED))),
  );
  flow.push([new Uint8Array(KIB), new Uint8Array(1)]);
  assertEquals(await flow.finish(), { answer: QUEUED });
  assert(seen instanceof Uint8Array);
  assertEquals(seen.length, 10 + KIB + 1);
});

Deno.test("Flow streams longer content as it comes", async () => {
  let total = 0;
  const flow = new Flow(
    new Uint8Array(10),
    toCleanup(async (content) => {
      assert(!(content instanceof Uint8Array));
      total = await length(content);
      return QUEUED;
    }),
  );
  for (let n = 0; n < 100; n++) {
    flow.push([new Uint8Array(4 * KIB)]);
    await flow.space();
  }
  assertEquals(await flow.finish(), { answer: QUEUED });
  assertEquals(total, 10 + 400 * KIB);
});

Deno.test("Flow is crowded while cleanup takes nothing, and has space when it does", async () => {
  const taking = Promise.withResolvers<void>();
  const flow = new Flow(
    new Uint8Array(0),
    toCleanup(async (content) => {
      await taking.promise;
      await length(content);
      return QUEUED;
    }),
  );
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
  const flow = new Flow(
    new Uint8Array(0),
    toCleanup(async (content) => {
      await length(content).then(reading.resolve, reading.reject);
      return QUEUED;
    }),
  );
  flow.push([new Uint8Array(300 * KIB)]);
  flow.cancel("the client is gone");
  await assertRejects(() => reading.promise, Error, "the client is gone");
});

Deno.test("Flow drops what still comes after cleanup has refused", async () => {
  const refusal = { queued: false, code: 554, dsn: "5.4.0", text: "no" };
  const flow = new Flow(new Uint8Array(0), toCleanup(() => Promise.resolve(refusal)));
  flow.push([new Uint8Array(300 * KIB)]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  for (let n = 0; n < 100; n++) flow.push([new Uint8Array(100 * KIB)]);
  assertEquals(flow.crowded, false);
  assertEquals(await flow.finish(), { answer: refusal });
});

Deno.test("Flow tells why cleanup gave no answer", async () => {
  const error = new Error("gone");
  const flow = new Flow(new Uint8Array(0), toCleanup(() => Promise.reject(error)));
  assertEquals(await flow.finish(), { error });
});

Deno.test("Flow joins content that comes byte by byte, and keeps its order around longer pieces", async () => {
  const encoder = new TextEncoder();
  const sizes: number[] = [];
  let text = "";
  const flow = new Flow(
    new Uint8Array(0),
    toCleanup(async (content) => {
      assert(!(content instanceof Uint8Array));
      for await (const chunk of content) {
        sizes.push(chunk.length);
        text += new TextDecoder().decode(chunk);
      }
      return QUEUED;
    }),
  );
  let sent = "";
  const push = async (piece: string) => {
    sent += piece;
    flow.push([encoder.encode(piece)]);
    if (flow.crowded) await flow.space();
  };
  for (let n = 0; n < 400_000; n++) {
    await push(String.fromCharCode(97 + n % 26));
    if (n % 100_000 === 0) await push("LONG".repeat(1000));
  }
  assertEquals(await flow.finish(), { answer: QUEUED });
  assert(text === sent);
  assert(sizes.length < 200, `${sizes.length} chunks for 400,000 pieces`);
});

Deno.test("Flow is crowded with little when all together hold much, and no longer when they are gone", async () => {
  const taking = Promise.withResolvers<void>();
  const submit = async (content: Sendable) => {
    await taking.promise;
    await length(content);
    return QUEUED;
  };
  const others = Array.from({ length: 300 }, () => new Flow(new Uint8Array(0), toCleanup(submit)));
  for (const other of others) {
    assertEquals(other.crowded, false);
    other.push([new Uint8Array(300 * KIB)]);
  }
  const flow = new Flow(new Uint8Array(0), toCleanup(submit));
  flow.push([new Uint8Array(100 * KIB)]);
  assertEquals(flow.crowded, true);
  for (const other of others) other.cancel("the client is gone");
  assertEquals(flow.crowded, false);
  taking.resolve();
  assertEquals(await flow.finish(), { answer: QUEUED });
});

const HEAD = "Received: by mx\r\nSubject: large\r\n\r\n";

/** What a flow's outlets were given. */
class Given implements Outlets {
  /** Why the body is not kept. */
  failure: Error | undefined;
  body = 0;
  key = "";
  forgotten = 0;
  /** Bytes of content, and the keys of bodies. */
  submitted: [number, string | undefined][] = [];

  submit = async (content: Sendable, body?: string): Promise<CleanupAnswer> => {
    this.submitted.push([await length(content), body]);
    return QUEUED;
  };

  keepBody = async (key: string, body: AsyncIterable<Uint8Array>): Promise<() => void> => {
    this.key = key;
    if (this.failure) throw this.failure;
    for await (const chunk of body) this.body += chunk.length;
    return () => this.forgotten++;
  };
}

/** A large message on its way, of which all but the end has come. */
function large(given: Given, head = HEAD): Flow {
  const flow = new Flow(textBytes(head.slice(0, 10)), given);
  flow.push([textBytes(head.slice(10) + "body")]);
  for (let n = 0; n < 5; n++) flow.push([new Uint8Array(64 * KIB)]);
  return flow;
}
const BODY_BYTES = 4 + 5 * 64 * KIB;

Deno.test("Flow sends a large body past cleanup as it comes, and the head when the body is kept", async () => {
  const given = new Given(), flow = large(given);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(given.body, BODY_BYTES);
  assertEquals(given.submitted, []);
  flow.push([new Uint8Array(1)]);
  assertEquals(await flow.finish(), { answer: QUEUED });
  assertEquals(given.submitted, [[HEAD.length, given.key]]);
  assertMatch(given.key, /^[0-9a-f]{32}$/);
  assertEquals([given.body, given.forgotten], [BODY_BYTES + 1, 1]);
});

Deno.test("Flow submits no head for a body that is not kept, and takes the rest of it", async () => {
  const given = new Given();
  given.failure = new Error("disk full");
  const flow = large(given);
  await new Promise((resolve) => setTimeout(resolve, 0));
  for (let n = 0; n < 100; n++) flow.push([new Uint8Array(64 * KIB)]);
  assertEquals(flow.crowded, false);
  assertEquals(await flow.finish(), { error: given.failure });
  assertEquals(given.submitted, []);
});

Deno.test("Flow forgets the body of a head that cleanup does not take", async () => {
  const given = new Given(), error = new Error("gone");
  given.submit = () => Promise.reject(error);
  assertEquals(await large(given).finish(), { error });
  assertEquals(given.forgotten, 1);
});

Deno.test("Flow cancels a body by throwing into it", async () => {
  const given = new Given(), flow = large(given);
  flow.cancel("the client is gone");
  const submitted = await flow.finish();
  assert("error" in submitted && String(submitted.error).endsWith("the client is gone"));
  assertEquals(given.submitted, []);
});

Deno.test("Flow sends a message without an end of its head near the start to cleanup, whole", async () => {
  const given = new Given(), start = "Subject: x\r\n" + "x".repeat(16 * KIB);
  assertEquals(await large(given, start + HEAD).finish(), { answer: QUEUED });
  assertEquals(given.key, "");
  assertEquals(given.submitted, [[start.length + HEAD.length + BODY_BYTES, undefined]]);
});

Deno.test("Flow holds less of each message while many wait for an answer, and all of it again afterwards", async () => {
  const answered = Promise.withResolvers<CleanupAnswer>(), whole: boolean[] = [];
  const submit = (content: Sendable) => {
    whole.push(content instanceof Uint8Array);
    return answered.promise;
  };
  const send = () => {
    const flow = new Flow(new Uint8Array(0), toCleanup(submit));
    flow.push([new Uint8Array(200 * KIB)]);
    const submitted = flow.finish();
    flow.cancel("the client is gone");
    return submitted;
  };
  const waiting = Array.from({ length: 330 }, send);
  // 64 MiB of them.
  assertEquals(whole.filter(Boolean).length, 327);
  answered.resolve(QUEUED);
  await Promise.all(waiting);
  await send();
  assertEquals(whole.at(-1), true);
});
