import { assert, assertEquals, assertRejects } from "@std/assert";
import { bytes, Stage } from "../../tests/support/ipc.ts";
import { pause, turn, until } from "../../tests/support/waiting.ts";
import { PeerError } from "../errors.ts";
import { setSink } from "../log/log.ts";
import { type Content, CREDIT_STEP, Sender, TooLong, WINDOW_BYTES } from "./content.ts";
import { call, service } from "./declare.ts";
import { count, shape } from "./schema.ts";
import { CallError } from "./failure.ts";
import { Streamed } from "./server.ts";

setSink(() => {});

const MIB = 1024 * 1024;
/** What may be under way unread: the window, both sockets' buffers, and what the pause leaves. */
const SLACK_BYTES = WINDOW_BYTES + 3 * MIB;

const depotWithin = (deadlineSeconds: number) =>
  service("depot", {
    put: call({
      request: shape({}),
      reply: shape({ bytes: count() }),
      contentIn: true,
      deadlineSeconds,
    }),
    get: call({
      request: shape({ bytes: count() }),
      reply: shape({}),
      contentOut: true,
      deadlineSeconds,
    }),
  });
/** For what takes as long as the machine takes. */
const depot = depotWithin(60);
/** For what is to come too late. */
const hurriedDepot = depotWithin(1);
const unused = { put: () => Promise.reject(), get: () => Promise.reject() };

async function size(content: AsyncIterable<Uint8Array>): Promise<number> {
  let sum = 0;
  for await (const chunk of content) sum += chunk.length;
  return sum;
}

/** Counts what is asked of a source. */
function counted(total: number) {
  const taken = { bytes: 0, ended: false };
  const source = async function* () {
    try {
      for await (const chunk of bytes(total)) {
        taken.bytes += chunk.length;
        yield chunk;
      }
    } finally {
      taken.ended = true;
    }
  };
  return { taken, source: source() };
}

/** The most memory outside and inside the heap while `run` runs, over what was there before. */
async function peak(run: () => Promise<unknown>): Promise<number> {
  const used = () => {
    const { external, heapUsed } = Deno.memoryUsage();
    return external + heapUsed;
  };
  const before = used();
  let most = 0;
  const timer = setInterval(() => most = Math.max(most, used() - before), 2);
  await run().finally(() => clearInterval(timer));
  return most;
}

const MESSAGE_BYTES = 50_000_000;
const ROUNDS = 6;
/** The garbage that V8 lets lie, and far less than the 300 MB that pass. */
const MOST_BYTES = 100 * MIB;

Deno.test("messages of 50 MB go through in bounded memory, whole and in order", async () => {
  await using stage = new Stage();
  await stage.answer(depot, {
    ...unused,
    put: async (_, { content }) => {
      let at = 0;
      for await (const chunk of content) {
        if (chunk[0] !== (at / 60_000 & 0xff)) throw new PeerError(`out of order at ${at}`);
        at += chunk.length;
      }
      return { bytes: at };
    },
  });
  const client = stage.client(depot);
  const most = await peak(async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { reply } = await client.call("put", {}, bytes(MESSAGE_BYTES, 60_000));
      assertEquals(reply.bytes, MESSAGE_BYTES);
    }
  });
  assert(most < MOST_BYTES, `took ${Math.round(most / MIB)} MiB`);
});

Deno.test("messages of 50 MB come back in bounded memory", async () => {
  await using stage = new Stage();
  await stage.answer(depot, {
    ...unused,
    get: (request) => Promise.resolve(new Streamed({}, bytes(request.bytes))),
  });
  const client = stage.client(depot);
  const most = await peak(async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { content } = await client.call("get", { bytes: MESSAGE_BYTES });
      assertEquals(await size(content), MESSAGE_BYTES);
    }
  });
  assert(most < MOST_BYTES, `took ${Math.round(most / MIB)} MiB`);
});

Deno.test("a reader that stalls stops the sender after one window", async () => {
  await using stage = new Stage();
  let read = () => {};
  const go = new Promise<void>((resolve) => read = resolve);
  await stage.answer(depot, {
    ...unused,
    put: async (_, { content }) => {
      await go;
      return { bytes: await size(content) };
    },
  });
  const { taken, source } = counted(20 * MIB);
  const put = stage.client(depot).call("put", {}, source);
  await turn(200);
  assert(taken.bytes <= WINDOW_BYTES + 64 * 1024, `sent ${taken.bytes}`);
  read();
  assertEquals((await put).reply.bytes, 20 * MIB);
});

Deno.test("a peer that does not read its socket pauses all streams to it together", async () => {
  await using stage = new Stage();
  await stage.listen((socket) => socket.pause());
  const client = stage.client(depot);
  const sources = Array.from({ length: 50 }, () => counted(10 * MIB));
  const calls = sources.map(({ source }) => client.call("put", {}, source));
  const failed = Promise.allSettled(calls);
  await turn(300);
  const sent = sources.reduce((sum, { taken }) => sum + taken.bytes, 0);
  assert(sent < SLACK_BYTES + 50 * 64 * 1024, `50 streams hold ${Math.round(sent / MIB)} MiB`);
  await stage.kill();
  await failed;
  await until(() => sources.every(({ taken }) => taken.ended));
});

Deno.test("a caller that dies in mid-stream: the reader gets an error, the signal aborts", async () => {
  await using stage = new Stage();
  const seen: unknown[] = [];
  await stage.answer(depot, {
    ...unused,
    put: async (_, { content, signal }) => {
      signal.addEventListener("abort", () => seen.push("aborted"));
      const error = await assertRejects(() => size(content), PeerError);
      seen.push(error.constructor);
      throw error;
    },
  });
  const client = stage.client(depot);
  const put = client.call("put", {}, bytes(100 * MIB, 1000)).catch(() => {});
  await turn(20);
  client.close();
  await put;
  await until(() => seen.length === 2);
  assertEquals(seen.includes("aborted") && seen.includes(PeerError), true);
});

Deno.test("an answerer that dies in mid-request: the caller is told, its source is closed", async () => {
  await using stage = new Stage();
  await stage.answer(depot, { ...unused, put: () => new Promise(() => {}) });
  const { taken, source } = counted(20 * MIB);
  const put = stage.client(depot).call("put", {}, source);
  const failed = assertRejects(() => put, CallError);
  await turn(50);
  await stage.kill();
  assertEquals((await failed).code, "unavailable");
  await until(() => taken.ended);
});

Deno.test("an answerer that dies in mid-reply: reading the content fails as unavailable", async () => {
  await using stage = new Stage();
  await stage.answer(depot, {
    ...unused,
    get: () => Promise.resolve(new Streamed({}, bytes(20 * MIB))),
  });
  const { content } = await stage.client(depot).call("get", { bytes: 1 });
  const reader = content[Symbol.asyncIterator]();
  await reader.next();
  await stage.kill();
  const error = await assertRejects(async () => {
    while (!(await reader.next()).done);
  }, CallError);
  assertEquals(error.code, "unavailable");
});

Deno.test("an answerer that stalls in mid-reply: reading fails at the deadline", async () => {
  await using stage = new Stage();
  const stalling = async function* () {
    yield new Uint8Array(10);
    await new Promise(() => {});
  };
  const answerer = await stage.answer(hurriedDepot, {
    ...unused,
    get: () => Promise.resolve(new Streamed({}, stalling())),
  });
  const { content } = await stage.client(hurriedDepot).call("get", { bytes: 1 });
  const error = await assertRejects(() => size(content), CallError);
  assertEquals(error.code, "deadline");
  await until(() => answerer.busy === 0);
});

Deno.test("content that flows for longer than the deadline is no late call", async () => {
  const slowDepot = depotWithin(2);
  await using stage = new Stage();
  await stage.answer(slowDepot, {
    ...unused,
    put: async (_, { content }) => ({ bytes: await size(content) }),
  });
  const client = stage.client(slowDepot);
  // A machine that does something else for as long as the deadline is no proof.
  for (let stalled = true; stalled;) {
    stalled = false;
    let last = performance.now();
    const slow = async function* () {
      for (let i = 0; i < 8; i++) {
        await pause(500);
        stalled ||= performance.now() - last > 1500;
        last = performance.now();
        yield new Uint8Array(10);
      }
    };
    const answered = client.call("put", {}, slow()).then(({ reply }) => reply.bytes);
    const got = await answered.catch((error: CallError) => error.code);
    stalled &&= got !== 80;
    if (!stalled) assertEquals(got, 80);
  }
});

for (
  const [what, put] of [
    ["reads all and says nothing", (content: Content) => size(content)],
    ["stops reading", () => Promise.resolve()],
  ] as const
) {
  Deno.test(`an answerer that ${what}: the call fails at the deadline`, async () => {
    await using stage = new Stage();
    const answerer = await stage.answer(hurriedDepot, {
      ...unused,
      put: async (_, { content, signal }) => {
        await put(content);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        return { bytes: 0 };
      },
    });
    const asked = stage.client(hurriedDepot).call("put", {}, bytes(4 * WINDOW_BYTES));
    assertEquals((await assertRejects(() => asked, CallError)).code, "deadline");
    await until(() => answerer.busy === 0);
  });
}

Deno.test("a source that fails ends its own call with its own error", async () => {
  await using stage = new Stage();
  let told: unknown;
  const answerer = await stage.answer(depot, {
    ...unused,
    put: async (_, { content }) => ({
      bytes: await size(content).catch((error) => {
        told = error;
        throw error;
      }),
    }),
  });
  const failing = async function* () {
    yield new Uint8Array(1000);
    await turn();
    throw new RangeError("no more");
  };
  await assertRejects(() => stage.client(depot).call("put", {}, failing()), RangeError, "no more");
  await until(() => told instanceof PeerError && answerer.busy === 0);
});

Deno.test("a reply's source that fails is the reader's error, not a short message", async () => {
  await using stage = new Stage();
  const failing = async function* () {
    yield new Uint8Array(1000);
    await turn();
    throw new PeerError("gone");
  };
  await stage.answer(depot, {
    ...unused,
    get: () => Promise.resolve(new Streamed({}, failing())),
  });
  const { content } = await stage.client(depot).call("get", { bytes: 1 });
  const error = await assertRejects(() => size(content), CallError);
  assertEquals([error.code, error.message], ["refused", "depot: gone"]);
});

Deno.test("a reader that leaves its loop early ends the conversation on both sides", async () => {
  await using stage = new Stage();
  const { taken, source } = counted(20 * MIB);
  const answerer = await stage.answer(depot, {
    ...unused,
    get: () => Promise.resolve(new Streamed({}, source)),
  });
  const { content } = await stage.client(depot).call("get", { bytes: 1 });
  for await (const _ of content) break;
  await until(() => answerer.busy === 0 && taken.ended);
  assert(taken.bytes < 5 * MIB);
});

Deno.test("an early reply stops the caller's stream; a handler that reads on gets an error", async () => {
  await using stage = new Stage();
  let readOn: Promise<unknown> = Promise.resolve();
  await stage.answer(depot, {
    ...unused,
    put: (_, { content }) => {
      readOn = size(content).catch((error) => error);
      return Promise.resolve({ bytes: 7 });
    },
  });
  const { taken, source } = counted(100 * MIB);
  assertEquals((await stage.client(depot).call("put", {}, source)).reply.bytes, 7);
  await until(() => taken.ended);
  assert(await readOn instanceof PeerError);
});

Deno.test("bytes() refuses more than its limit, as a refusal and not as a bug", async () => {
  await using stage = new Stage();
  const readAll = async (content: Content) => (await content.bytes(1000)).length;
  await stage.answer(depot, {
    ...unused,
    put: async (_, { content }) => ({ bytes: await readAll(content) }),
  });
  const client = stage.client(depot);
  assertEquals((await client.call("put", {}, new Uint8Array(1000))).reply.bytes, 1000);
  for (const content of [new Uint8Array(1001), bytes(1001, 100)]) {
    const error = await assertRejects(() => client.call("put", {}, content), CallError);
    assertEquals(error.code, "refused");
  }
  assert(new TooLong() instanceof RangeError);
});

Deno.test("contents of every awkward size arrive whole, in one piece and streamed", async () => {
  await using stage = new Stage();
  await stage.answer(depot, {
    ...unused,
    put: async (_, { content }) => ({ bytes: await size(content) }),
  });
  const client = stage.client(depot);
  const sizes = [0, 1, 65_535, 65_536, 65_537, 128 * 1024, 128 * 1024 + 1, WINDOW_BYTES + 1];
  for (const total of sizes) {
    for (const content of [new Uint8Array(total), bytes(total, 50_000)]) {
      assertEquals((await client.call("put", {}, content)).reply.bytes, total);
    }
  }
});

Deno.test("a sender goes on while less than a step of credit is held back", async () => {
  let sent = 0;
  const sender = new Sender({
    write: (chunk) => void (sent += chunk.length),
    room: () => undefined,
  });
  const ended = sender.send(bytes(4 * WINDOW_BYTES, 4 * WINDOW_BYTES));
  for (let credited = 0; sent < 4 * WINDOW_BYTES;) {
    const before = sent;
    await turn(20);
    assert(credited === 0 || sent > before || sent === 4 * WINDOW_BYTES, `stuck at ${sent}`);
    const credit = sent - credited - (CREDIT_STEP - 1);
    sender.credit(credit);
    credited += credit;
  }
  await ended;
});
