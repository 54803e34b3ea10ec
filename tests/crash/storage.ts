/** What the tests of failing disks do to a system: offer mail, wait until it is taken again, count it. */

import { assertEquals, assertMatch } from "@std/assert";
import { ID_HEADER } from "../support/load.ts";
import { AUTHOR, type Scene } from "./scene.ts";

/** No look at the free space: the write itself has to fail. */
export const BLIND = "message_size_limit = 0\nqueue_minfree = 0";
/** More than qmgr keeps in its database. */
export const LARGE = 400 * 1024;

/** Sends a message; whether it was accepted. Anything but 250 and 4xx is an error. */
export async function offer(
  scene: Scene,
  id: string,
  length = 10,
  to = "u1@sink.test",
): Promise<boolean> {
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
export async function untilTaken(scene: Scene): Promise<void> {
  let n = 0;
  await scene.system.until(() => offer(scene, `again-${n++}`));
}

/** Everything accepted has arrived, once. */
export async function allArrived(scene: Scene, accepted: readonly string[]): Promise<void> {
  await scene.untilQuiet();
  const copies = accepted.map((id) => [id, scene.delivered.get(id)?.length ?? 0]);
  assertEquals(copies.filter(([, count]) => count !== 1), []);
}
