import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { pause } from "../../tests/support/waiting.ts";
import { ConfigError } from "../errors.ts";
import { lockQueue, tryLockQueue } from "./queue_lock.ts";

Deno.test("lockQueue() refuses a queue that another process keeps, and takes it when that one has died", async () => {
  const directory = await Deno.makeTempDir();
  const other = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `const { lockQueue } = await import(${
        JSON.stringify(import.meta.resolve("./queue_lock.ts"))
      });
      await lockQueue(${JSON.stringify(directory)});
      Deno.writeTextFileSync(${JSON.stringify(join(directory, "ready"))}, "");
      setInterval(() => {}, 1000);`,
    ],
    cwd: new URL("../..", import.meta.url).pathname,
  }).spawn();
  try {
    while (!await Deno.stat(join(directory, "ready")).then(() => true, () => false)) {
      await pause(20);
    }
    await assertRejects(() => lockQueue(directory, 100), ConfigError, "another qmgr");
    assertEquals(tryLockQueue(directory), undefined);
    other.kill("SIGKILL");
    await other.status;
    using _lock = await lockQueue(directory, 100);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("lockQueue() waits for whoever keeps the queue for a moment", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const first = tryLockQueue(directory)!;
    const second = lockQueue(directory, 60_000);
    await pause(20);
    first[Symbol.dispose]();
    using _lock = await second;
    assertEquals(tryLockQueue(directory), undefined);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test({
  name: "tryLockQueue() of root leaves the lock to the owner of the queue",
  ignore: Deno.uid() !== 0,
  async fn() {
    const directory = await Deno.makeTempDir();
    try {
      Deno.chownSync(directory, 65534, 65534);
      using _lock = tryLockQueue(directory);
      const { uid, gid } = Deno.statSync(join(directory, "qmgr.lock"));
      assertEquals([uid, gid], [65534, 65534]);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "tryLockQueue() of root gives away no file that the owner put a link to",
  ignore: Deno.uid() !== 0,
  async fn() {
    const directory = await Deno.makeTempDir(), others = await Deno.makeTempFile();
    try {
      Deno.chownSync(directory, 65534, 65534);
      Deno.symlinkSync(others, join(directory, "qmgr.lock"));
      using _lock = tryLockQueue(directory);
      assertEquals(Deno.statSync(others).uid, 0);
    } finally {
      await Deno.remove(directory, { recursive: true });
      await Deno.remove(others);
    }
  },
});
