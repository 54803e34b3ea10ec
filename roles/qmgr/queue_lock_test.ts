import { assertRejects } from "@std/assert";
import { join } from "@std/path";
import { ConfigError } from "../../shared/errors.ts";
import { lockQueue, unlockQueue } from "./queue_lock.ts";
import { pause } from "../../tests/support/waiting.ts";

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
    await assertRejects(() => lockQueue(directory, 100), ConfigError, "another qmgr keeps");
    other.kill("SIGKILL");
    await other.status;
    await lockQueue(directory, 100);
  } finally {
    unlockQueue();
    await Deno.remove(directory, { recursive: true });
  }
});
