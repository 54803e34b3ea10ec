import { assert, assertEquals, assertRejects } from "@std/assert";
import { Stage } from "../../tests/support/ipc.ts";
import { turn, until } from "../../tests/support/waiting.ts";
import { StorageError } from "../errors.ts";
import { setSink } from "../log/log.ts";
import { call, service } from "./declare.ts";
import { count, line, shape, Type } from "./schema.ts";
import { CallError } from "./failure.ts";
import { answer, type Handlers, Streamed } from "./server.ts";

setSink(() => {}); // The log of what is provoked here is not the tests' output.

const echo = service("echo", {
  say: call({
    request: shape({ text: line(100) }),
    reply: shape({ text: line(100) }),
    deadlineSeconds: 5,
  }),
  wait: call({ request: shape({ for: count() }), reply: shape({}), deadlineSeconds: 60 }),
  hurry: call({ request: shape({}), reply: shape({}), deadlineSeconds: 1 }),
  keep: call({
    request: shape({}),
    reply: shape({}),
    contentIn: true,
    settles: true,
    deadlineSeconds: 5,
  }),
  both: call({
    request: shape({}),
    reply: shape({ bytes: count() }),
    contentIn: true,
    contentOut: true,
    deadlineSeconds: 5,
  }),
});

const never = new Promise<never>(() => {});

type EchoHandlers = Handlers<typeof echo.calls>;

/** Handlers of `echo`, those of the test first. */
function handlers(own: Partial<EchoHandlers> = {}): EchoHandlers {
  return {
    say: ({ text }) => Promise.resolve({ text }),
    wait: () => never,
    hurry: () => never,
    keep: () => Promise.resolve({}),
    both: () => Promise.resolve({ bytes: 0 }),
    ...own,
  };
}

/** The code that a call fails with. */
async function failure(asked: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => asked, CallError)).code;
}

Deno.test("call() brings back the handler's reply", async () => {
  await using stage = new Stage();
  await stage.answer(echo, handlers());
  const { reply, content } = await stage.client(echo).call("say", { text: 'Grüße\u2028"\\' });
  assertEquals(reply, { text: 'Grüße\u2028"\\' });
  assertEquals(content.whole, new Uint8Array(0));
});

Deno.test("call() gives each of many calls of one turn its own reply, on one connection", async () => {
  await using stage = new Stage();
  const answerer = await stage.answer(echo, handlers());
  const client = stage.client(echo);
  const texts = Array.from({ length: 1000 }, (_, n) => `number ${n}`);
  const answers = await Promise.all(texts.map((text) => client.call("say", { text })));
  assertEquals(answers.map((each) => each.reply.text), texts);
  assertEquals(answerer.connections, 1);
});

Deno.test("frames of one turn leave in one write", async () => {
  await using stage = new Stage();
  const reads: number[] = [];
  await stage.listen((socket) => socket.on("data", (data) => reads.push(data.length)));
  const client = stage.client(echo);
  client.call("say", { text: "connect" }).catch(() => {});
  await until(() => reads.length === 1);
  for (let n = 0; n < 100; n++) client.call("say", { text: "x" }).catch(() => {});
  await until(() => reads.length >= 2);
  await turn(20);
  assertEquals(reads.length, 2);
});

Deno.test("several processes may answer on one path: each connection has its own", async () => {
  await using stage = new Stage();
  await stage.answer(echo, handlers());
  const clients = [stage.client(echo), stage.client(echo), stage.client(echo)];
  const answers = await Promise.all(clients.map((each, n) => each.call("say", { text: `${n}` })));
  assertEquals(answers.map((each) => each.reply.text), ["0", "1", "2"]);
});

Deno.test("content flows both ways, and small content comes whole", async () => {
  await using stage = new Stage();
  await stage.answer(
    echo,
    handlers({
      both: async (_, { content }) => {
        const parts: number[] = [];
        for await (const part of content) parts.push(...part);
        return new Streamed({ bytes: parts.length }, new Uint8Array(parts.toReversed()));
      },
    }),
  );
  const sent = new Uint8Array([1, 2, 3]);
  const { reply, content } = await stage.client(echo).call("both", {}, sent);
  assertEquals(reply.bytes, 3);
  assertEquals(content.whole, new Uint8Array([3, 2, 1]));
  assertEquals(await content.bytes(10), new Uint8Array([3, 2, 1]));
});

Deno.test("an error's class says what the caller is told, and a bug ends only its call", async () => {
  await using stage = new Stage();
  await stage.answer(
    echo,
    handlers({
      say: async ({ text }) => {
        await turn();
        if (text === "disk") throw new StorageError("disk full\r\nX: y");
        throw new TypeError("oops");
      },
      // Not async: the error is thrown, not a rejected promise.
      wait: () => {
        throw new TypeError("oops");
      },
    }),
  );
  const client = stage.client(echo);
  const storage = await assertRejects(() => client.call("say", { text: "disk" }), CallError);
  assertEquals([storage.code, storage.message], ["storage", "echo: disk full??X: y"]);
  assertEquals(await failure(client.call("say", { text: "x" })), "bug");
  assertEquals(await failure(client.call("wait", { for: 1 })), "bug");
  await client.call("keep", {});
});

Deno.test("a call without an answerer fails as unavailable at once", async () => {
  await using stage = new Stage();
  assertEquals(await failure(stage.client(echo).call("say", { text: "x" })), "unavailable");
});

Deno.test("a patient call waits for its service to be started", async () => {
  await using stage = new Stage();
  const client = stage.client(echo, { patienceMs: 5000 });
  const asked = [client.call("say", { text: "1" }), client.call("say", { text: "2" })];
  await turn(100);
  await stage.answer(echo, handlers());
  assertEquals((await Promise.all(asked)).map((each) => each.reply.text), ["1", "2"]);
});

Deno.test("a patient call fails as unavailable when nobody comes, or its client is closed", async () => {
  await using stage = new Stage();
  assertEquals(
    await failure(stage.client(echo, { patienceMs: 100 }).call("say", { text: "x" })),
    "unavailable",
  );
  const client = stage.client(echo, { patienceMs: 60_000 });
  const asked = failure(client.call("say", { text: "x" }));
  await turn(50);
  client.close();
  assertEquals(await asked, "unavailable");
});

Deno.test("a call that is not answered fails at its deadline, and its handler is told", async () => {
  await using stage = new Stage();
  let aborted = false;
  await stage.answer(
    echo,
    handlers({
      hurry: (_, { signal }) => {
        signal.addEventListener("abort", () => aborted = true);
        return never;
      },
    }),
  );
  const client = stage.client(echo);
  const began = Date.now();
  assertEquals(await failure(client.call("hurry", {})), "deadline");
  assert(Date.now() - began >= 990, "not before its deadline");
  await until(() => aborted);
  assertEquals((await client.call("say", { text: "still here" })).reply.text, "still here");
});

Deno.test("a client connects again after its peer has died, and tells what was under way", async () => {
  await using stage = new Stage();
  await stage.answer(echo, handlers());
  const client = stage.client(echo);
  await client.call("say", { text: "connected" });
  const waiting = client.call("wait", { for: 1 });
  const refused = failure(waiting);
  await turn();
  await stage.kill();
  assertEquals(await refused, "unavailable");
  await stage.answer(echo, handlers());
  assertEquals((await client.call("say", { text: "back" })).reply.text, "back");
});

Deno.test("drain() lets a call under way end, while new ones go to the next answerer", async () => {
  await using stage = new Stage();
  let finish = () => {};
  const old = answer(
    echo,
    handlers({
      wait: () => new Promise((resolve) => finish = () => resolve({})),
    }),
  );
  let serving = old;
  await stage.listen((socket) => serving.attach(socket));
  const client = stage.client(echo);
  const waiting = client.call("wait", { for: 1 });
  await until(() => old.busy === 1);
  serving = answer(echo, handlers());
  let drained = false;
  const draining = old.drain().then(() => drained = true);
  await turn(20);
  await client.call("say", { text: "elsewhere" });
  assertEquals([drained, old.busy, serving.connections], [false, 1, 1]);
  finish();
  await Promise.all([waiting, draining]);
});

Deno.test("drain() breaks no call, however calls and the goodbye cross", async () => {
  await using stage = new Stage();
  const first = await stage.listen((socket) => serving.attach(socket));
  const make = () =>
    answer(
      echo,
      handlers({
        say: async ({ text }) => {
          await turn(2);
          return { text };
        },
      }),
    );
  let serving = make();
  const client = stage.client(echo);
  const answers: Promise<unknown>[] = [];
  for (let round = 0; round < 20; round++) {
    const old = serving;
    for (let n = 0; n < 5; n++) answers.push(client.call("say", { text: `${round}` }));
    if (round % 2) await turn(1);
    serving = make();
    const drained = old.drain();
    for (let n = 0; n < 5; n++) answers.push(client.call("say", { text: `${round}` }));
    await drained;
    assertEquals([old.busy, old.connections], [0, 0]);
  }
  assertEquals((await Promise.all(answers)).length, 200);
  assert(first.listening);
});

Deno.test("settled is true once the caller has settled, and not before", async () => {
  await using stage = new Stage();
  let settled: boolean | undefined;
  const answerer = await stage.answer(
    echo,
    handlers({
      keep: (_, conversation) => {
        conversation.settled.then((value) => settled = value);
        return Promise.resolve({});
      },
    }),
  );
  const answered = await stage.client(echo).call("keep", {});
  await turn(20);
  assertEquals([settled, answerer.busy], [undefined, 1]);
  answered.settle();
  answered.settle();
  await until(() => settled === true && answerer.busy === 0);
});

Deno.test("settled is false when the caller goes away between reply and settling", async () => {
  await using stage = new Stage();
  const ends: unknown[] = [];
  await stage.answer(
    echo,
    handlers({
      keep: (_, conversation) => {
        conversation.signal.addEventListener("abort", () => ends.push("aborted"));
        conversation.settled.then((value) => ends.push(value));
        return Promise.resolve({});
      },
    }),
  );
  const client = stage.client(echo);
  await client.call("keep", {});
  client.close();
  await until(() => ends.length === 2);
  assertEquals(ends.toSorted(), ["aborted", false]);
});

Deno.test("a request or reply over the header limit fails alone, before it is sent", async () => {
  await using stage = new Stage();
  const wide = service("wide", {
    ask: call({
      request: shape({ text: Type.String() }),
      reply: shape({ text: Type.String() }),
      deadlineSeconds: 5,
      headerBytes: 1000,
    }),
  });
  await stage.answer(wide, {
    ask: ({ text }) => Promise.resolve({ text: text === "grow" ? "x".repeat(2000) : text }),
  });
  const client = stage.client(wide);
  const held = client.call("ask", { text: "other" });
  assertEquals(await failure(client.call("ask", { text: "x".repeat(2000) })), "refused");
  assertEquals(await failure(client.call("ask", { text: "grow" })), "bug");
  assertEquals((await held).reply.text, "other");
});
