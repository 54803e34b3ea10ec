/** Who may touch the queue itself, and when: commands that work beside qmgr lose mail. */

import { assertEquals, assertMatch } from "@std/assert";
import { databaseDirectory } from "../../shared/layout.ts";
import { lockQueue, tryLockQueue } from "../../shared/queue/queue_lock.ts";
import { postcat } from "./postcat.ts";
import { postqueue } from "./postqueue.ts";
import { postsuper } from "./postsuper.ts";
import { queueActions } from "./queue_access.ts";
import { IDS, left, withQueue } from "./test_queue.ts";

Deno.test("postsuper leaves a queue alone that a qmgr keeps, though its socket has gone", () =>
  withQueue(async (io) => {
    const directory = databaseDirectory(io.queueDirectory);
    // What a running qmgr is just receiving.
    const received = `${directory}/content/${IDS[0]}`;
    Deno.writeTextFileSync(received, "x");
    using _lock = tryLockQueue(directory);
    assertEquals(await postsuper(["-d", "ALL"], io), 75);
    assertMatch(io.written.err, /^postsuper: fatal: qmgr keeps .*, but does not answer/);
    assertEquals(Deno.readTextFileSync(received), "x");
    assertEquals((await left(io)).length, 3);
  }));

Deno.test("postsuper keeps the queue until it is done: a qmgr that starts meanwhile waits", () =>
  withQueue(async (io) => {
    const directory = databaseDirectory(io.queueDirectory);
    const actions = await queueActions(io.queueDirectory);
    assertEquals(tryLockQueue(directory), undefined);
    const qmgr = lockQueue(directory, 60_000);
    assertEquals(await actions.act("delete", [IDS[0]]), 1);
    await actions.close();
    using _lock = await qmgr;
    assertEquals(await left(io), [`hold ${IDS[1]}`, `incoming ${IDS[2]}`]);
  }));

Deno.test("postqueue -p and postcat of a system that is down change no file", () =>
  withQueue(async (io) => {
    const directory = databaseDirectory(io.queueDirectory);
    Deno.writeTextFileSync(`${directory}/content/${IDS[0]}`, "x");
    const before = await contents(directory);
    assertEquals(await postqueue(["-p"], io), 0);
    assertEquals(await postcat(["-q", IDS[0]], io), 0);
    assertEquals(await contents(directory), before);
  }));

/** The files below a directory, each with what is in it; not what readers of the database share with its writer. */
async function contents(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) Object.assign(found, await contents(path));
    else if (!name.endsWith("-shm")) {
      const digest = await crypto.subtle.digest("SHA-256", Deno.readFileSync(path));
      found[path] = new Uint8Array(digest).toHex();
    }
  }
  return found;
}
