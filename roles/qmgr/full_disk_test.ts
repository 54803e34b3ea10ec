/** What qmgr does on a disk that runs full. */

import { assert, assertRejects } from "@std/assert";
import { hasSmallDisks, SmallDisk } from "../../tests/support/disk.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { Gate, World } from "./test_world.ts";

const MIB = 1024 * 1024;

/** A test with a queue on a small disk, and agents that wait. */
function test(
  title: string,
  run: (world: World, disk: SmallDisk, gate: Gate) => Promise<void>,
): void {
  Deno.test({
    name: hasSmallDisks ? title : `${title} (only root can mount a small disk)`,
    ignore: !hasSmallDisks,
    async fn() {
      using disk = new SmallDisk();
      const gate = new Gate();
      await using world = await World.open({
        directory: `${disk.directory}/queue`,
        agent: (request) => gate.agent(request),
        params: { messageSizeLimit: MIB },
      });
      await run(world, disk, gate);
    },
  });
}

test("deliveries that end on a full disk leave the queue", async (world, disk, gate) => {
  for (let i = 0; i < 5; i++) await world.enqueue([`a@${i}.x`]);
  await world.until(() => gate.waiting.length === 5);
  disk.fill();
  gate.open();
  await world.untilEmpty();
  assert(world.store.strained);
  await assertRejects(() => world.enqueue(["a@x"]), CallError, "not enough free space");
  disk.empty();
  // Even where no mail comes.
  world.qmgr.scan();
  assert(!world.store.strained);
});
