/** The disk of the queue fails in every way: the client hears 4xx, nothing accepted is lost, and mail flows again after. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ID_HEADER } from "../support/load.ts";
import { FailingDisk, SmallDisk, unusable } from "./disk.ts";
import { AUTHOR, DEFERRED, Scene } from "./scene.ts";

const why = unusable();
/** No look at the free space: the write itself has to fail. */
const BLIND = "message_size_limit = 0\nqueue_minfree = 0";
/** More than qmgr keeps in its database. */
const LARGE = 400 * 1024;
const PAGE = 4096;
/** What the log says of a queue that cannot be written. */
const READ_ONLY = /queue file write error: .*(readonly|read-only|disk I\/O)/i;

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: why ? `${name} (${why})` : name, ignore: why !== undefined, fn });
}

/** Sends a message; whether it was accepted. Anything but 250 and 4xx is an error. */
async function offer(scene: Scene, id: string, length = 10, to = "u1@sink.test"): Promise<boolean> {
  const text = `${ID_HEADER}: ${id}\n\n${`${"x".repeat(78)}\n`.repeat(Math.ceil(length / 79))}`;
  try {
    await scene.system.send(to, text, AUTHOR);
    return true;
  } catch (error) {
    assertMatch((error as Error).message, /^expected (250|354): 4\d\d /);
    return false;
  }
}

/** Mail is taken again, without help. */
async function untilTaken(scene: Scene): Promise<void> {
  let n = 0;
  await scene.system.until(() => offer(scene, `again-${n++}`));
}

/** Everything accepted has arrived, once. */
async function allArrived(scene: Scene, accepted: readonly string[]): Promise<void> {
  await scene.untilQuiet();
  const copies = accepted.map((id) => [id, scene.delivered.get(id)?.length ?? 0]);
  assertEquals(copies.filter(([, count]) => count !== 1), []);
}

test("a full disk is answered by 4xx until there is room again", async () => {
  let disk: SmallDisk | undefined;
  await using scene = await Scene.start({
    main: BLIND,
    place: (directory) => disk = new SmallDisk(directory, 16),
  });
  using full = disk!;
  assert(await offer(scene, "deferred", 10, DEFERRED));
  full.fill();
  assertEquals(await offer(scene, "full"), false);
  assertEquals(await offer(scene, "full-large", LARGE), false);
  const submission = () =>
    scene.system.command(["sendmail", "-f", AUTHOR, "u1@sink.test"], `${ID_HEADER}: sub\n\nx\n`);
  assertMatch((await assertRejects(submission, Error)).message, /exit 7[1345]/);
  full.empty();
  await untilTaken(scene);
  await allArrived(scene, ["deferred"]);
  assertEquals(["full", "full-large", "sub"].filter((id) => scene.delivered.has(id)), []);
});

test("too little free space is answered by 4xx before content is taken", async () => {
  let disk: SmallDisk | undefined;
  await using scene = await Scene.start({
    main: "message_size_limit = 1048576",
    place: (directory) => disk = new SmallDisk(directory, 16),
  });
  using small = disk!;
  small.fill(1024 * 1024);
  await scene.system.until(async () => !await offer(scene, "refused"));
  await scene.system.until(() => scene.system.output.includes("not enough free space"));
  small.empty();
  await untilTaken(scene);
});

test("a disk that runs full at any write refuses or keeps each message", async () => {
  let disk: SmallDisk | undefined;
  await using scene = await Scene.start({
    main: BLIND,
    place: (directory) => disk = new SmallDisk(directory, 16),
  });
  using small = disk!;
  const accepted: string[] = [];
  let refused = 0;
  const step = async (id: string, length: number) => {
    if (await offer(scene, id, length)) accepted.push(id);
    else refused++;
  };
  for (let pages = 0; pages < 24; pages++) {
    small.fill(pages * PAGE);
    await step(`small-${pages}`, 10_000);
  }
  for (let pages = 0; pages <= 160; pages += 16) {
    small.fill(pages * PAGE);
    await step(`large-${pages}`, LARGE);
  }
  small.empty();
  await untilTaken(scene);
  assert(accepted.length > 0 && refused > 0, `${accepted.length} accepted, ${refused} refused`);
  await allArrived(scene, accepted);
});

test("a disk that loses writes is answered by 4xx, and nothing accepted is lost", async () => {
  let disk: FailingDisk | undefined;
  await using scene = await Scene.start({
    main: BLIND,
    place: (directory) => disk = new FailingDisk(directory),
  });
  using failing = disk!;
  const accepted: string[] = [];
  let refused = 0;
  failing.fail();
  for (let i = 0; i < 30; i++) {
    const id = `lost-${i}`;
    if (await offer(scene, id, i % 2 ? 100_000 : LARGE)) accepted.push(id);
    else refused++;
  }
  assert(refused > 0, "no write failed");
  failing.recover();
  await untilTaken(scene);
  await allArrived(scene, accepted);
});

test("a queue that becomes read-only is answered by 4xx, and all is there after a repair", async () => {
  let disk: FailingDisk | undefined;
  await using scene = await Scene.start({
    main: BLIND,
    place: (directory) => disk = new FailingDisk(directory),
  });
  using failing = disk!;
  assert(await offer(scene, "before", 10, DEFERRED));
  failing.readOnly();
  assertEquals(await offer(scene, "during"), false);
  await scene.system.until(() => READ_ONLY.test(scene.system.output));
  await scene.system.stop();
  failing.repair();
  await scene.system.start();
  await untilTaken(scene);
  await scene.untilQuiet();
  // Its outcome may have come when nothing could be written down any more.
  assert((scene.delivered.get("before")?.length ?? 0) >= 1);
  assertEquals(scene.delivered.has("during"), false);
});
