/** The disk of the queue is full: the client hears 4xx, nothing accepted is lost, and mail flows again after. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { namesIn } from "../support/files.ts";
import { ID_HEADER } from "../support/load.ts";
import { System } from "../support/system.ts";
import { pause } from "../support/waiting.ts";
import { REFUSE_MS } from "../../roles/smtpd/space.ts";
import { hasSmallDisks, PAGE_BYTES, SmallDisk } from "../support/disk.ts";
import { STRIDE } from "./extent.ts";
import { AUTHOR, DEFERRED, Scene } from "./scene.ts";
import { allArrived, BLIND, LARGE, offer, untilTaken } from "./storage.ts";
import { withSmallDisks } from "./user_namespace.ts";

/** How many tests are here: each takes a small disk. */
const DISKS = 6;
/** A queue on a small disk takes mail up to this size. */
const LIMITED = "message_size_limit = 1048576";
/** More messages than a small disk holds. */
const MANY = 400;
/** Clients that send at once. */
const SESSIONS = 8;

/** Declares a test where there are small disks. */
function test(name: string, fn: () => Promise<void>): void {
  if (hasSmallDisks) Deno.test(name, fn);
}

test("a full disk is answered by 4xx until there is room again", async () => {
  using disk = new SmallDisk();
  await using scene = await Scene.start({ main: BLIND, queue: disk.directory });
  assert(await offer(scene, "deferred", 10, DEFERRED));
  scene.server.isBusy = true;
  disk.fill();
  assertEquals(await offer(scene, "full-large", LARGE), false);
  const accepted = ["deferred", ...await untilRefused(scene, "full", 50_000)];
  assert(accepted.length <= MANY, "it refuses nothing");
  let refused = "";
  // The queue may give some room back, which is taken too.
  await scene.system.until(async () => {
    disk.fill();
    const id = `sub-${accepted.length}`;
    try {
      const text = `${ID_HEADER}: ${id}\n\nx\n`;
      await scene.system.command(["sendmail", "-f", AUTHOR, "u1@sink.test"], text);
      accepted.push(id);
    } catch (error) {
      assertMatch((error as Error).message, /exit 7[1345]/);
      refused = id;
    }
    return refused !== "";
  });
  disk.empty();
  scene.server.isBusy = false;
  await untilTaken(scene);
  await allArrived(scene, accepted);
  assertEquals(["full-large", refused].filter((id) => scene.delivered.has(id)), []);
});

test("a full disk of mailboxes defers, keeps no piece of a message, and takes it when there is room", async () => {
  using disk = new SmallDisk();
  const base = `${disk.directory}/mail`;
  await using system = await System.start({ main: `virtual_mailbox_base = ${base}` });
  const names = (place: string) => namesIn(`${base}/u1/${place}`).length;
  await system.send("u1@box.test");
  await system.until(() => names("new") === 1);
  disk.fill();
  const id = await system.send("u1@box.test", `Subject: full\n\n${"x".repeat(70)}\n`.repeat(500));
  await system.until(async () => (await system.listing())[0]?.queue_name === "deferred");
  await system.untilSaid(`${id}: to=<u1@box\\.test>.* dsn=4\\.\\d\\.\\d, status=deferred`);
  assertEquals([names("new"), names("tmp")], [1, 0]);
  disk.empty();
  await system.command(["postqueue", "-f"]);
  await system.until(() => names("new") === 2);
});

test("too little free space is answered by 4xx before content is taken", async () => {
  using disk = new SmallDisk();
  await using scene = await Scene.start({
    main: LIMITED,
    queue: disk.directory,
  });
  disk.fill(1024 * 1024);
  await scene.system.until(async () => !await offer(scene, "refused"));
  await scene.system.untilSaid("not enough free space");
  disk.empty();
  await untilTaken(scene);
});

/** Messages that are accepted until one was refused; of what is delivered meanwhile a full disk takes any number. */
async function untilRefused(scene: Scene, name: string, ...lengths: number[]): Promise<string[]> {
  const accepted: string[] = [];
  for (let n = 0; n < MANY; n++) {
    const id = `${name}-${n}`;
    if (!await offer(scene, id, lengths[n % lengths.length])) break;
    accepted.push(id);
  }
  return accepted;
}

/** Messages that are accepted until each client was refused. */
async function burst(scene: Scene): Promise<string[]> {
  const sessions = Array.from(
    { length: SESSIONS },
    (_, n) =>
      untilRefused(scene, `burst-${n}`, ...n % 2 ? [1000, 30_000, 50_000, 200_000] : [LARGE]),
  );
  return (await Promise.all(sessions)).flat();
}

test("a queue that a burst has filled drains when the destination comes back, and takes mail again", async () => {
  using disk = new SmallDisk();
  await using scene = await Scene.start({ main: LIMITED, queue: disk.directory });
  scene.server.isBusy = true;
  const accepted = await burst(scene);
  assert(accepted.length > SESSIONS, `${accepted.length} accepted`);
  scene.server.isBusy = false;
  await allArrived(scene, accepted);
  await untilTaken(scene);
  await scene.system.until(() => offer(scene, "large", LARGE));
});

/** Somebody who takes every page that becomes free, until this is disposed of. */
function greed(disk: SmallDisk): Disposable {
  disk.fill();
  const timer = setInterval(() => disk.fill(), 1);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

test("a queue on a disk that others fill at once stops, starts and drains, while new mail hears 4xx", async () => {
  using disk = new SmallDisk();
  await using scene = await Scene.start({ main: LIMITED, queue: disk.directory });
  const { system } = scene;
  scene.server.isBusy = true;
  const accepted = await burst(scene);
  {
    using _others = greed(disk);
    await system.stop();
    disk.fill();
    await system.start();
    assertMatch(system.output, /master\.pid: the process id is not in it: No space/);
    await system.killEverything();
    await system.start();
    // Before deliveries give room back.
    assertEquals(await offer(scene, "refused"), false);
    scene.server.isBusy = false;
    await allArrived(scene, accepted);
  }
  assertEquals(scene.delivered.has("refused"), false);
  disk.empty();
  await untilTaken(scene);
});

test("a disk that runs full at any write refuses or keeps each message", async () => {
  using disk = new SmallDisk();
  await using scene = await Scene.start({ main: BLIND, queue: disk.directory });
  const accepted: string[] = [];
  let refused = 0;
  const step = async (id: string, pages: number, length: number) => {
    disk.empty();
    // So long smtpd refuses mail without a try, and qmgr takes what it has seen of the disk for what is there.
    await pause(REFUSE_MS + 100);
    assert(await offer(scene, `before-${id}`));
    accepted.push(`before-${id}`);
    disk.fill(pages * PAGE_BYTES);
    const taken = await untilRefused(scene, id, length);
    accepted.push(...taken);
    if (taken.length < MANY) refused++;
  };
  for (let pages = 0; pages < 24; pages += 2 * STRIDE) await step(`small-${pages}`, pages, 30_000);
  for (let pages = 0; pages < 24; pages += 4 * STRIDE) {
    await step(`middling-${pages}`, pages, 50_000);
  }
  for (let pages = 0; pages <= 160; pages += 16 * STRIDE) {
    await step(`large-${pages}`, pages, LARGE);
  }
  disk.empty();
  await untilTaken(scene);
  assert(accepted.length > 0 && refused > 0, `${accepted.length} accepted, ${refused} refused`);
  assertMatch(scene.system.output, /queue file write error: .*queue\.db: .*full/);
  assertMatch(scene.system.output, /queue file write error: .*segments: No space/);
  await allArrived(scene, accepted);
});

if (!hasSmallDisks) {
  const { success, output } = await withSmallDisks(1, "true");
  const name = "a full disk is answered by 4xx, and nothing is lost: in a user namespace";
  Deno.test({
    name: success ? name : `${name} (only root can mount, and here: ${output.trim()})`,
    ignore: !success,
    async fn() {
      const args = ["test", "--allow-all", "--no-prompt", "--no-check", import.meta.filename!];
      const { success, output } = await withSmallDisks(DISKS, Deno.execPath(), ...args);
      assert(success && output.includes(`${DISKS} passed`), output);
    },
  });
}
