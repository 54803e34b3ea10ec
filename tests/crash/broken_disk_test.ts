/** The disk of the queue fails: the client hears 4xx, nothing accepted is lost, and mail flows again after. */

import { assert, assertEquals } from "@std/assert";
import { FailingDisk, noFailingDisk } from "../support/disk.ts";
import { DEFERRED, Scene } from "./scene.ts";
import { allArrived, BLIND, LARGE, offer, untilTaken } from "./storage.ts";

const why = noFailingDisk();
/** What the log says of a queue that cannot be written. */
const READ_ONLY = /queue file write error: .*(readonly|read-only|disk I\/O)/i;

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: why ? `${name} (${why})` : name, ignore: why !== undefined, fn });
}

test("a disk that loses writes is answered by 4xx, and nothing accepted is lost", async () => {
  using disk = new FailingDisk();
  await using scene = await Scene.start({ main: BLIND, queue: disk.directory });
  const accepted: string[] = [], refused: string[] = [];
  disk.fail();
  for (let i = 0; i < 30; i++) {
    const id = `lost-${i}`;
    (await offer(scene, id, i % 2 ? 100_000 : LARGE) ? accepted : refused).push(id);
  }
  assert(refused.length > 0, "no write failed");
  disk.recover();
  await untilTaken(scene);
  await allArrived(scene, accepted);
  assertEquals(refused.filter((id) => scene.delivered.has(id)), []);
});

test("a queue that becomes read-only is answered by 4xx, and all is there after a repair", async () => {
  using disk = new FailingDisk();
  await using scene = await Scene.start({ main: BLIND, queue: disk.directory });
  assert(await offer(scene, "before", 10, DEFERRED));
  disk.readOnly();
  assertEquals(await offer(scene, "during"), false);
  await scene.system.untilSaid(READ_ONLY);
  await scene.system.stop();
  await disk.repair();
  await scene.system.start();
  await untilTaken(scene);
  await scene.untilQuiet();
  // Its outcome may have come when nothing could be written down any more.
  assert((scene.delivered.get("before")?.length ?? 0) >= 1);
  assertEquals(scene.delivered.has("during"), false);
});
