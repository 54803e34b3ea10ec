/** Bodies that come past cleanup: kept for the head that names them, and for nobody else. */

import { assertEquals, assertRejects } from "@std/assert";
import { byteText, concat } from "../../shared/bytes.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { queueIdSource } from "../../shared/mail/queue_id.ts";
import { type Agent, all, sent, Slow, test, type World } from "./test_world.ts";

const nextId = queueIdSource();
const KEY = "a".repeat(32), HEAD = new TextEncoder().encode("Subject: x\r\n\r\n");

async function* body(bytes: number): AsyncGenerator<Uint8Array> {
  for (let left = bytes; left > 0; left -= 50_000) {
    yield await Promise.resolve(new Uint8Array(Math.min(left, 50_000)).fill(98));
  }
}

/** Has a body kept; what it resolves to tells qmgr that nobody will name it any more. */
async function keep(world: World, queueId: string, bytes = 400_000): Promise<() => void> {
  return (await world.bodies.call("keep", { queueId, key: KEY }, body(bytes))).settle;
}

for (const bytes of [0, 1000, 400_000]) {
  const seen: [number, string][] = [];
  const agent: Agent = async (request, content) => {
    const text = content instanceof Uint8Array ? content : concat(await Array.fromAsync(content));
    seen.push([request.size, byteText(text)]);
    return all(request, sent);
  };
  test(`a head is queued with its body of ${bytes} bytes`, { agent }, async (world) => {
    const queueId = nextId(), settle = await keep(world, queueId, bytes);
    await world.enqueue(["a@x"], { queueId, content: HEAD, body: KEY });
    settle();
    await world.untilEmpty();
    assertEquals(seen, [[HEAD.length + bytes, byteText(HEAD) + "b".repeat(bytes)]]);
    await world.until(() => world.contents().length === 0);
  });
}

test("a body is for the head of its own message, once", {}, async (world) => {
  const queueId = nextId();
  await keep(world, queueId);
  const refused = (part: { queueId: string; body: string }) =>
    assertRejects(
      () => world.enqueue(["a@x"], { content: HEAD, ...part }),
      CallError,
      "its body is not here",
    );
  await refused({ queueId: nextId(), body: KEY });
  await refused({ queueId, body: "b".repeat(32) });
  await world.enqueue(["a@x"], { queueId, content: HEAD, body: KEY });
  await refused({ queueId, body: KEY });
});

test(
  "a body that nobody names is removed when its sender settles, or leaves",
  {},
  async (world) => {
    (await keep(world, nextId()))();
    await world.until(() => world.contents().length === 0);
    const queueId = nextId();
    await keep(world, queueId);
    assertEquals(world.contents(), [queueId]);
    world.bodies.close();
    await world.until(() => world.contents().length === 0);
  },
);

test("a body whose sender leaves in its middle is removed", {}, async (world) => {
  async function* broken() {
    yield await Promise.resolve(new Uint8Array(400_000));
    throw new Error("client went away");
  }
  const queueId = nextId();
  await assertRejects(() => world.bodies.call("keep", { queueId, key: KEY }, broken()));
  await world.until(() => world.contents().length === 0);
});

test("a key that is taken, and a queue id, are refused", {}, async (world) => {
  const queueId = nextId();
  await keep(world, queueId);
  await assertRejects(() => keep(world, nextId()), CallError, "the key is taken");
  const again = { queueId, key: "b".repeat(32) };
  await assertRejects(() => world.bodies.call("keep", again, body(1000)), CallError);
  assertEquals(world.contents(), [queueId]);
});

test("bodies beyond a number are refused, while they come and while they wait", {
  params: { qmgrContentFileLimit: 4 },
}, async (world) => {
  const keep = (key: string, content: AsyncIterable<Uint8Array>, queueId = nextId()) =>
    world.bodies.call("keep", { queueId, key: key.repeat(32) }, content);
  const refused = () =>
    assertRejects(() => keep("c", body(400_000)), CallError, "bodies: too many at a time");
  const slow = new Slow(), queueId = nextId();
  const { settle } = await keep("a", body(400_000), queueId);
  const coming = keep("b", slow.content());
  await slow.begun;
  await refused();
  // Others have slots of their own.
  await world.enqueue(["a@x"], { content: body(400_000) });
  slow.end();
  await coming;
  await refused();
  await world.enqueue(["a@x"], { queueId, content: HEAD, body: "a".repeat(32) });
  settle();
  await world.until(() => keep("c", body(400_000)).then(() => true, () => false));
});

test("a body that breaks off, or whose key is taken, leaves its place to others", {
  params: { qmgrContentFileLimit: 4 },
}, async (world) => {
  await keep(world, nextId());
  for (let i = 0; i < 3; i++) {
    await assertRejects(() => keep(world, nextId()), CallError, "the key is taken");
    const slow = new Slow();
    const broken = world.bodies.call(
      "keep",
      { queueId: nextId(), key: "b".repeat(32) },
      slow.content(),
    );
    await slow.begun;
    slow.fail();
    await assertRejects(() => broken);
    await world.until(() => world.contents().length === 1);
  }
});

test("a body longer than any message may be is refused", {
  params: { messageSizeLimit: 1000 },
}, async (world) => {
  const most = 1024 * 1024 + 1000;
  await assertRejects(() => keep(world, nextId(), most + 1), CallError, "by far");
  await keep(world, nextId(), most);
});
