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
  const log = `${disk.directory}/queue/queue.db-wal`, { size } = Deno.statSync(log);
  let count = 0;
  for (; Deno.statSync(log).size === size; count++) {
    await world.enqueue([`a@${count}.x`], { content: new Uint8Array(32 * 1024) });
  }
  await world.until(() => gate.waiting.length === count);
  // The log is full, and what it holds has no place in the database.
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

test(
  "a queue that was full takes small and large mail when it is empty",
  async (world, disk, gate) => {
    const content = new Uint8Array(100_000);
    const fill = async () => {
      for (let i = 0;; i++) await world.enqueue([`a@${i}.x`], { content });
    };
    await assertRejects(fill, CallError, "not enough free space");
    using _open = gate.keepOpen();
    await world.untilEmpty();
    for (const length of [100_000, MIB]) {
      world.ahead += 1000;
      await world.enqueue(["a@x"], { content: new Uint8Array(length) });
      await world.untilEmpty();
    }
    world.store.shrink();
    assert(disk.free > 10 * MIB, `${disk.free} bytes free`);
  },
);

test("mail is not refused for want of space that spare files have", async (world, disk, gate) => {
  using _open = gate.keepOpen();
  for (let i = 0; i < 5; i++) {
    await world.enqueue([`a@${i}.x`], { content: new Uint8Array(MIB) });
  }
  await world.untilEmpty();
  disk.fill(MIB);
  // So long one look at the disk is good for.
  world.ahead += 1000;
  await world.enqueue(["a@x"], { content: new Uint8Array(MIB) });
  await world.untilEmpty();
});

for (const [what, bytes] of [["small", 4000], ["middling", 100_000], ["large", 400_000]] as const) {
  test(
    `a burst of ${what} messages leaves room for half of the largest one`,
    async (world, disk, gate) => {
      const content = new Uint8Array(bytes).fill(65);
      const offer = (_: unknown, n: number) =>
        world.enqueue([`a@${n}.x`], { content }).then(() => 1, (error) => {
          assert(error instanceof CallError && error.code === "full", error);
          return 0;
        });
      const replies = await Promise.all(Array.from({ length: 4_000_000 / bytes * 10 }, offer));
      const taken = replies.reduce((sum, each) => sum + each, 0);
      assert(taken * bytes > 2_000_000 && taken < replies.length, `${taken} taken`);
      // One and a half of the largest message has to be there for one to begin.
      assert(disk.free > MIB / 2, `${disk.free} bytes free`);
      using _open = gate.keepOpen();
      await world.untilEmpty();
    },
  );
}
