/** Peers that break the rules: what they do ends their own conversation or connection, and nothing else. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, type Socket } from "node:net";
import fc from "fast-check";
import { Stage } from "../../tests/support/ipc.ts";
import { turn, until } from "../../tests/support/waiting.ts";
import { concat } from "../bytes.ts";
import { setSink } from "../log/log.ts";
import { call, service } from "./declare.ts";
import { count, line, shape, Type } from "./schema.ts";
import { CallError } from "./failure.ts";
import { encode, type Frame, FrameReader, Kind, MORE, UNFINISHED } from "./frame.ts";
import { answer, type Answerer, ANY_USER } from "./server.ts";

const lines: string[] = [];
setSink((severity, text) => void lines.push(`${severity}: ${text}`));

const CALLS = { say: 0, put: 1, keep: 2 };
const target = service("target", {
  say: call({
    request: shape({ text: line(20), more: Type.Optional(count(9)) }),
    reply: shape({ text: line(20) }),
    deadlineSeconds: 5,
  }),
  put: call({ request: shape({}), reply: shape({}), contentIn: true, deadlineSeconds: 5 }),
  keep: call({ request: shape({}), reply: shape({}), settles: true, deadlineSeconds: 5 }),
});

const text = (value: string) => new TextEncoder().encode(value);
const bytes = (length: number) => new Uint8Array(length);

/** A caller that writes what it likes. */
class Raw implements Disposable {
  readonly frames: Frame[] = [];
  /** By performance.now(). */
  closedAt = Infinity;
  #socket: Socket;

  constructor(path: string) {
    this.#socket = connect(path);
    const reader = new FrameReader(() => 1 << 20);
    this.#socket.on("data", (data) => reader.push(data, (frame) => this.frames.push(frame)));
    this.#socket.on("close", () => this.closedAt = performance.now());
    this.#socket.on("error", () => {});
  }

  get closed(): boolean {
    return this.closedAt < Infinity;
  }

  write(...parts: Uint8Array[]): this {
    if (!this.closed) this.#socket.write(concat(parts));
    return this;
  }

  /** Kinds of the frames that came back for a conversation. */
  kinds(conversation: number): number[] {
    return this.frames.filter((frame) => frame.conversation === conversation)
      .map((frame) => frame.kind);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

function serve(stage: Stage): Promise<Answerer> {
  return stage.answer(target, {
    say: ({ text }) => Promise.resolve({ text }),
    put: async (_, { content }) => {
      for await (const _ of content);
      return {};
    },
    keep: () => Promise.resolve({}),
  });
}

const good = (id: number) => encode(Kind.REQUEST, CALLS.say, id, text('{"text":"good"}'));

const badRequests: [string, Uint8Array[]][] = [
  ["that is not JSON", encode(Kind.REQUEST, 0, 1, text("{"))],
  ["that is not UTF-8", encode(Kind.REQUEST, 0, 1, new Uint8Array([0x22, 0xff, 0x22]))],
  ["without a header", encode(Kind.REQUEST, 0, 1)],
  ["with a missing field", encode(Kind.REQUEST, 0, 1, text("{}"))],
  ["with an extra field", encode(Kind.REQUEST, 0, 1, text('{"text":"x","extra":1}'))],
  ["with __proto__", encode(Kind.REQUEST, 0, 1, text('{"text":"x","__proto__":{"more":1}}'))],
  ["inside __proto__", encode(Kind.REQUEST, 0, 1, text('{"__proto__":{"text":"x"}}'))],
  ["with a line break", encode(Kind.REQUEST, 0, 1, text('{"text":"a\\nb"}'))],
  ["with a line break at the end", encode(Kind.REQUEST, 0, 1, text('{"text":"a\\n"}'))],
  ["with a NUL", encode(Kind.REQUEST, 0, 1, text('{"text":"a\\u0000b"}'))],
  ["with DEL", encode(Kind.REQUEST, 0, 1, text('{"text":"a\\u007fb"}'))],
  ["with too long a text", encode(Kind.REQUEST, 0, 1, text(`{"text":"${"x".repeat(21)}"}`))],
  [
    "with a long text in few visible signs",
    encode(Kind.REQUEST, 0, 1, text(`{"text":"e${"\u0301".repeat(30)}"}`)),
  ],
  ["with a fraction", encode(Kind.REQUEST, 0, 1, text('{"text":"x","more":1.5}'))],
  ["with a negative count", encode(Kind.REQUEST, 0, 1, text('{"text":"x","more":-1}'))],
  ["with an infinite count", encode(Kind.REQUEST, 0, 1, text('{"text":"x","more":1e999}'))],
  ["of another type", encode(Kind.REQUEST, 0, 1, text('["text"]'))],
  ["nested 100,000 deep", encode(Kind.REQUEST, 0, 1, text("[".repeat(60_000)))],
  [
    "with content where none is declared",
    encode(Kind.REQUEST, 0, 1, text('{"text":"x"}'), bytes(3)),
  ],
  ["that announces content where none is", encode(Kind.REQUEST | MORE, 0, 1, text('{"text":"x"}'))],
];

for (const [what, request] of badRequests) {
  Deno.test(`a request ${what} ends its conversation with one log line, and no other`, async () => {
    await using stage = new Stage();
    await serve(stage);
    lines.length = 0;
    using raw = new Raw(stage.path);
    raw.write(...request, ...good(2));
    await until(() => raw.kinds(2).length === 1);
    assertEquals(raw.kinds(1), [Kind.ERROR]);
    assertEquals(raw.kinds(2), [Kind.REPLY]);
    assertEquals(lines.filter((each) => each.startsWith("warning: ipc: target.say")).length, 1);
  });
}

const held = encode(Kind.REQUEST | MORE, CALLS.put, 1, text("{}"));
const credit = (value: number) => new Uint8Array([value, 0, 0, 0]);

const violations: [string, Uint8Array[]][] = [
  ["an unknown kind", encode(9, 0, 1)],
  ["an unknown call", encode(Kind.REQUEST, 77, 1, text("{}"))],
  ["a header over the limit", encode(Kind.REQUEST, 0, 1, bytes(65 * 1024))],
  ["the same conversation twice", [...held, ...held]],
  ["a reply from a caller", [...held, ...encode(Kind.REPLY, CALLS.put, 1, text("{}"))]],
  ["an error from a caller", [...held, ...encode(Kind.ERROR, CALLS.put, 1, text("{}"))]],
  ["a goodbye from a caller", encode(Kind.GOAWAY, 0, 0)],
  ["content for a conversation of another call", [...held, ...encode(Kind.CHUNK, 0, 1)]],
  ["content after its end", [
    ...held,
    ...encode(Kind.CHUNK, CALLS.put, 1, undefined, bytes(1)),
    ...encode(Kind.CHUNK, CALLS.put, 1, undefined, bytes(1)),
  ]],
  ["settling before the reply", [...held, ...encode(Kind.SETTLE, CALLS.put, 1)]],
  ["settling a call that does not settle", [...held, ...encode(Kind.SETTLE, CALLS.put, 1)]],
  ["a header on content", [...held, ...encode(Kind.CHUNK, CALLS.put, 1, text("{}"), bytes(1))]],
  ["a credit of two bytes", [...held, ...encode(Kind.CREDIT, CALLS.put, 1, undefined, bytes(2))]],
  ["a goodbye in HTTP", [text("GET / HTTP/1.1\r\nHost: target\r\n\r\n")]],
];

for (const [what, traffic] of violations) {
  Deno.test(`${what} ends that connection alone, with one log line`, async () => {
    await using stage = new Stage();
    const answerer = await serve(stage);
    const client = stage.client(target);
    await client.call("say", { text: "before" });
    lines.length = 0;
    using raw = new Raw(stage.path);
    raw.write(...traffic);
    await until(() => raw.closed && answerer.connections === 1);
    assertEquals(lines.filter((each) => each.endsWith("connection ended")).length, 1);
    assertEquals((await client.call("say", { text: "after" })).reply.text, "after");
    assertEquals(answerer.busy, 0);
  });
}

Deno.test("a caller that ignores the window is cut off", async () => {
  await using stage = new Stage();
  const answerer = await stage.answer(target, {
    say: () => Promise.reject(),
    put: () => new Promise(() => {}),
    keep: () => Promise.reject(),
  });
  using raw = new Raw(stage.path);
  raw.write(...held);
  for (let n = 0; n < 20; n++) {
    raw.write(...encode(Kind.CHUNK | MORE, CALLS.put, 1, undefined, bytes(128 * 1024)));
    await turn(1);
  }
  await until(() => raw.closed && answerer.connections === 0);
});

Deno.test("a caller of endless bad requests is cut off before it fills the log", async () => {
  await using stage = new Stage();
  await serve(stage);
  lines.length = 0;
  using raw = new Raw(stage.path);
  for (let id = 1; id <= 500; id++) raw.write(...encode(Kind.REQUEST, 0, id, text("{}")));
  await until(() => raw.closed);
  assert(lines.length < 10, `${lines.length} lines`);
});

Deno.test("a caller that is cut off and comes again and again does not fill the log either", async () => {
  await using stage = new Stage();
  await serve(stage);
  lines.length = 0;
  for (const traffic of [text("GET / HTTP/1.1\r\n\r\n"), concat(encode(Kind.REQUEST, 77, 1))]) {
    for (let n = 0; n < 50; n++) {
      using raw = new Raw(stage.path);
      raw.write(traffic);
      await until(() => raw.closed);
    }
  }
  assert(lines.length >= 1 && lines.length < 10, `${lines.length} lines`);
});

/** Serves `target` to any user on the stage's path; `keep` never answers. */
async function serveUsers(stage: Stage): Promise<Answerer> {
  const answerer = answer(target, {
    say: ({ text }) => Promise.resolve({ text }),
    put: () => Promise.resolve({}),
    keep: () => new Promise<never>(() => {}),
  }, ANY_USER);
  await stage.listen((socket) => answerer.attach(socket));
  return answerer;
}

Deno.test("users who keep connections open neither take all descriptors nor keep others out", async () => {
  await using stage = new Stage();
  const answerer = await serveUsers(stage);
  using stack = new DisposableStack();
  for (let i = 0; i < ANY_USER.connections * 2; i++) stack.use(new Raw(stage.path));
  const client = stage.client(target);
  assertEquals((await client.call("say", { text: "well" })).reply.text, "well");
  assert(answerer.connections <= ANY_USER.connections, `${answerer.connections} connections`);
});

Deno.test("a role that opens connections without end is refused more, with one line, and the others stay", async () => {
  await using stage = new Stage();
  const answerer = await serve(stage);
  const client = stage.client(target);
  await client.call("say", { text: "before" });
  answerer.allow(20);
  lines.length = 0;
  using stack = new DisposableStack();
  const many = Array.from({ length: 60 }, () => stack.use(new Raw(stage.path)));
  await until(() => many.filter(({ closed }) => closed).length === 41);
  assertEquals((await client.call("say", { text: "well" })).reply.text, "well");
  assertEquals([answerer.connections, lines], [20, [
    "warning: target: 20 connections are open: one more is refused",
  ]]);
});

Deno.test("a connection that ends within a header gives back what the header held", async () => {
  await using stage = new Stage();
  const depot = service("depot", {
    put: call({ request: shape({}), reply: shape({}), headerBytes: 1 << 22, deadlineSeconds: 5 }),
  });
  const answerer = await stage.answer(depot, { put: () => Promise.resolve({}) });
  const raw = new Raw(stage.path);
  raw.write(concat(encode(Kind.REQUEST, 0, 1, bytes(1 << 22))).subarray(0, -1));
  await until(() => UNFINISHED.taken > 1 << 21);
  raw[Symbol.dispose]();
  await until(() => answerer.connections === 0);
  assertEquals(UNFINISHED.taken, 0);
});

Deno.test("a user who asks without end is cut off before the questions fill memory", async () => {
  await using stage = new Stage();
  const answerer = await serveUsers(stage);
  using raw = new Raw(stage.path);
  for (let id = 1; id <= ANY_USER.conversations + 1; id++) {
    raw.write(...encode(Kind.REQUEST, CALLS.keep, id, text("{}")));
  }
  await until(() => raw.closed);
  assertEquals(answerer.busy, 0);
});

Deno.test("drain() waits neither for users who stay, nor without end for their calls", async () => {
  await using stage = new Stage();
  const answerer = await serveUsers(stage);
  using idle = new Raw(stage.path);
  using asking = new Raw(stage.path);
  asking.write(...encode(Kind.REQUEST, CALLS.keep, 1, text("{}")));
  await until(() => answerer.busy === 1 && answerer.connections === 2);
  const started = performance.now();
  const drained = answerer.drain();
  await drained;
  await until(() => asking.closed);
  assert(idle.closedAt < asking.closedAt);
  assert(performance.now() - started >= ANY_USER.drainMs);
});

Deno.test("drain() of a service for any user answers the call that crosses with it", async () => {
  await using stage = new Stage();
  const answerer = await serveUsers(stage);
  using raw = new Raw(stage.path);
  await until(() => answerer.connections === 1);
  const drained = answerer.drain();
  raw.write(...good(1));
  await drained;
  await until(() => raw.closed);
  assertEquals(raw.kinds(1), [Kind.REPLY]);
});

Deno.test("late frames of a conversation that is over are ignored", async () => {
  await using stage = new Stage();
  await serve(stage);
  using raw = new Raw(stage.path);
  raw.write(
    ...encode(Kind.CHUNK, CALLS.put, 99, undefined, bytes(10)),
    ...encode(Kind.CREDIT, CALLS.put, 99, undefined, credit(1)),
    ...encode(Kind.CANCEL, CALLS.put, 99),
    ...encode(Kind.SETTLE, CALLS.keep, 99),
    ...good(2),
  );
  await until(() => raw.kinds(2).length === 1);
  assertEquals(raw.closed, false);
});

Deno.test("CANCEL ends a conversation: no reply comes, its id may be used again", async () => {
  await using stage = new Stage();
  const answerer = await serve(stage);
  using raw = new Raw(stage.path);
  raw.write(...held, ...encode(Kind.CANCEL, CALLS.put, 1), ...held);
  raw.write(...encode(Kind.CHUNK, CALLS.put, 1, undefined, bytes(0)));
  await until(() => raw.kinds(1).length === 1);
  await turn(20);
  assertEquals(raw.kinds(1), [Kind.REPLY]);
  assertEquals(answerer.busy, 0);
});

const badReplies: [string, (id: number) => Uint8Array[], string][] = [
  ["of another shape", (id) => encode(Kind.REPLY, 0, id, text('{"text":1}')), "bug"],
  ["with an extra field", (id) => encode(Kind.REPLY, 0, id, text('{"text":"","x":1}')), "bug"],
  [
    "with undeclared content",
    (id) => encode(Kind.REPLY, 0, id, text('{"text":""}'), bytes(1)),
    "bug",
  ],
  ["of another call", (id) => encode(Kind.REPLY, 1, id, text("{}")), "unavailable"],
  ["that is content", (id) => encode(Kind.CHUNK, 0, id, undefined, bytes(1)), "unavailable"],
  ["of an unknown kind", (id) => encode(12, 0, id), "unavailable"],
  ["that settles", (id) => encode(Kind.SETTLE, 0, id), "unavailable"],
  ["with a failure that is no JSON", (id) => encode(Kind.ERROR, 0, id, text("x")), "bug"],
  ["with a made-up failure", (id) => encode(Kind.ERROR, 0, id, text('{"code":"x"}')), "bug"],
  [
    "that is half a frame",
    (id) => [concat(encode(Kind.REPLY, 0, id, text("{}"))).slice(0, 9)],
    "unavailable",
  ],
];

for (const [what, reply, code] of badReplies) {
  Deno.test(`an answer ${what} fails the call as ${code}`, async () => {
    await using stage = new Stage();
    await stage.listen((socket) => {
      const reader = new FrameReader(() => 1 << 20);
      socket.on("data", (data) =>
        reader.push(data, (frame) => {
          if (frame.kind !== Kind.REQUEST) return;
          socket.write(concat(reply(frame.conversation)));
          if (what === "that is half a frame") socket.end();
        }));
    });
    const error = await assertRejects(
      () => stage.client(target).call("say", { text: "x" }),
      CallError,
    );
    assertEquals(error.code, code);
  });
}

Deno.test("an answerer survives any bytes, and goes on answering others", async () => {
  await using stage = new Stage();
  const answerer = await serve(stage);
  const client = stage.client(target);
  const valid = [
    ...good(1),
    ...held,
    ...encode(Kind.CHUNK | MORE, CALLS.put, 1, undefined, bytes(100)),
    ...encode(Kind.CHUNK, CALLS.put, 1),
    ...encode(Kind.REQUEST, CALLS.keep, 3, text("{}")),
    ...encode(Kind.SETTLE, CALLS.keep, 3),
    ...encode(Kind.CANCEL, CALLS.put, 4),
  ];
  const whole = concat(valid);
  const mutated = fc.tuple(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255))), fc.nat(300))
    .map(([changes, cut]) => {
      const copy = whole.slice(0, whole.length - cut);
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy;
    });
  const shuffled = fc.shuffledSubarray(valid).map((parts) => concat(parts));
  const noise = fc.uint8Array({ maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutated, shuffled, noise), async (traffic) => {
      using raw = new Raw(stage.path);
      raw.write(traffic);
      await turn(1);
      assertEquals((await client.call("say", { text: "well" })).reply.text, "well");
    }),
    { numRuns: 300 },
  );
  await until(() => answerer.connections === 1 && answerer.busy === 0);
  assertEquals(lines.filter((each) => each.startsWith("panic")), []);
});
