/** What messages may hold while they arrive, all of them together. */

import { assertEquals, assertRejects } from "@std/assert";
import { textBytes } from "../../shared/bytes.ts";
import { PeerError } from "../../shared/errors.ts";
import { Content } from "../../shared/ipc/content.ts";
import { until } from "../../tests/support/waiting.ts";
import { RECEIVED, recipient, type Scene, scene, submission } from "./test_scene.ts";

const QUEUED = { queued: true, code: 250, dsn: "2.0.0", text: "Ok" };

/** A submission whose header section has begun, so many bytes of it, and does not go on. */
function halfRead({ cleanup }: Scene, bytes: number) {
  const arriving = new Content(textBytes(RECEIVED), true, () => {});
  arriving.push(textBytes("X: y\r\n".repeat(bytes / 6)), true);
  return { arriving, replied: cleanup.submit(submission(), arriving) };
}

Deno.test("submit() refuses who wants more for a header when all together hold too much, and nobody else", async () => {
  const crowd = scene(), { submit, cleanup, queue, log } = crowd;
  cleanup.budget.take(cleanup.budget.bytes - 100_000);
  const first = halfRead(crowd, 120_000);
  await until(() => cleanup.budget.taken > cleanup.budget.bytes - 60_000);

  assertEquals(await halfRead(crowd, 120_000).replied, {
    queued: false,
    code: 452,
    dsn: "4.3.1",
    text: "Insufficient system storage",
    crowded: true,
  });
  assertEquals(log, [
    "warning: headers and recipients: all 67108864 bytes for all sessions together are in use",
  ]);
  assertEquals(await submit(`${RECEIVED}${"X: y\r\n".repeat(10_000)}\r\nbody\r\n`), QUEUED);

  first.arriving.push(textBytes("\r\nbody\r\n"), false);
  assertEquals(await first.replied, QUEUED);
  assertEquals(cleanup.budget.taken, cleanup.budget.bytes - 100_000);
  assertEquals(queue.length, 2);
});

Deno.test("submit() gives back what a header held whose submitter goes away", async () => {
  const held = scene();
  const { arriving, replied } = halfRead(held, 240_000);
  await until(() => held.cleanup.budget.taken > 0);
  arriving.fail(new PeerError("the caller gave up"));
  await assertRejects(() => replied, PeerError, "gave up");
  assertEquals(held.cleanup.budget.taken, 0);
});

Deno.test("submit() counts what aliases make of few recipients", async () => {
  const { cleanup, submit } = scene({ virtual_alias_maps: "texthash:/virtual" }, {
    "list@example.com": Array.from({ length: 900 }, (_, i) => `u${i}@x.org`).join(", "),
  });
  cleanup.budget.take(cleanup.budget.bytes);
  const reply = await submit(`${RECEIVED}\r\n`, { recipients: [recipient("list@example.com")] });
  assertEquals([reply.code, reply.crowded], [452, true]);
  assertEquals(await submit(`${RECEIVED}\r\n`), QUEUED);
  assertEquals(cleanup.budget.taken, cleanup.budget.bytes);
});
