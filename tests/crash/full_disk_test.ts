/** The disk of the queue is full: the client hears 4xx, nothing accepted is lost, and mail flows again after. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ID_HEADER } from "../support/load.ts";
import { hasSmallDisks, PAGE_BYTES, SmallDisk } from "./disk.ts";
import { AUTHOR, DEFERRED, Scene } from "./scene.ts";
import { allArrived, BLIND, LARGE, offer, untilTaken } from "./storage.ts";
import { withSmallDisks } from "./user_namespace.ts";

/** How many tests are here: each takes a small disk. */
const DISKS = 3;

/** Declares a test where there are small disks. */
function test(name: string, fn: () => Promise<void>): void {
  if (hasSmallDisks) Deno.test(name, fn);
}

test("a full disk is answered by 4xx until there is room again", async () => {
  using disk = new SmallDisk();
  await using scene = await Scene.start({ main: BLIND, queue: disk.directory });
  assert(await offer(scene, "deferred", 10, DEFERRED));
  disk.fill();
  assertEquals(await offer(scene, "full"), false);
  assertEquals(await offer(scene, "full-large", LARGE), false);
  const submission = () =>
    scene.system.command(["sendmail", "-f", AUTHOR, "u1@sink.test"], `${ID_HEADER}: sub\n\nx\n`);
  assertMatch((await assertRejects(submission, Error)).message, /exit 7[1345]/);
  disk.empty();
  await untilTaken(scene);
  await allArrived(scene, ["deferred"]);
  assertEquals(["full", "full-large", "sub"].filter((id) => scene.delivered.has(id)), []);
});

test("too little free space is answered by 4xx before content is taken", async () => {
  using disk = new SmallDisk();
  await using scene = await Scene.start({
    main: "message_size_limit = 1048576",
    queue: disk.directory,
  });
  disk.fill(1024 * 1024);
  await scene.system.until(async () => !await offer(scene, "refused"));
  await scene.system.until(() => scene.system.output.includes("not enough free space"));
  disk.empty();
  await untilTaken(scene);
});

test("a disk that runs full at any write refuses or keeps each message", async () => {
  using disk = new SmallDisk();
  await using scene = await Scene.start({ main: BLIND, queue: disk.directory });
  const accepted: string[] = [];
  let refused = 0;
  const step = async (id: string, length: number) => {
    if (await offer(scene, id, length)) accepted.push(id);
    else refused++;
  };
  for (let pages = 0; pages < 24; pages++) {
    disk.fill(pages * PAGE_BYTES);
    await step(`small-${pages}`, 10_000);
  }
  for (let pages = 0; pages <= 160; pages += 16) {
    disk.fill(pages * PAGE_BYTES);
    await step(`large-${pages}`, LARGE);
  }
  disk.empty();
  await untilTaken(scene);
  assert(accepted.length > 0 && refused > 0, `${accepted.length} accepted, ${refused} refused`);
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
