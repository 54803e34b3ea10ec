/** What agents ask for a second time: bounded, whatever they do with it. */

import { assertEquals, assertRejects } from "@std/assert";
import { PeerError, StorageError } from "../../shared/errors.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { SecondContents } from "./second_contents.ts";
import { all, deferred, test } from "./test_world.ts";

/** More than may be under way unread in one conversation. */
const LARGE = 4_000_000;
const HANDED = { queueId: "4dXyZ12345z1", recipients: [0], seal: "a".repeat(32) };

test("the same content is answered to one at a time", {
  agent: (request) => all(request, deferred),
}, async (world) => {
  const queueId = await world.enqueue(["a@x", "b@x"], { content: new Uint8Array(LARGE) });
  await world.untilIn(queueId, "deferred");
  const ask = async (...recipients: number[]) =>
    (await world.outcomes.call("content", world.handed(queueId, ...recipients))).content;
  const first = await ask(0);
  await assertRejects(() => ask(0), CallError, "being answered already");
  // What was handed over otherwise is something else.
  for await (const _ of await ask(0, 1)) break;
  for await (const _ of first) break;
  let size = 0;
  await world.until(async () => {
    const content = await ask(0).catch(() => []);
    for await (const part of content) size += part.length;
    return size > 0;
  });
  assertEquals(size, LARGE);
  await ask(0);
  world.outcomes.close();
  await world.until(() => world.qmgr.answers.every(({ busy }) => busy === 0));
});

Deno.test("contents beyond a number of bytes are refused before they are read", async () => {
  let read = 0;
  const contents = new SecondContents({
    content: () => Promise.resolve(new Uint8Array(++read)),
  });
  const handed = (n: number) => ({ ...HANDED, seal: `${n}` });
  const most = 512;
  const answers = [];
  for (let n = 0; n < most; n++) answers.push(await contents.answer(handed(n)));
  await assertRejects(() => contents.answer(handed(most)), StorageError, "no room");
  assertEquals(read, most);
  for (const { over } of answers) over();
  assertEquals(contents.budget.taken, 0);
  await contents.answer(handed(0));
});

Deno.test("content that cannot be read takes nothing", async () => {
  const contents = new SecondContents({
    content: () => Promise.reject(new PeerError("not in the queue")),
  });
  for (let i = 0; i < 2; i++) {
    await assertRejects(() => contents.answer(HANDED), PeerError, "not in the queue");
  }
  assertEquals(contents.budget.taken, 0);
});
