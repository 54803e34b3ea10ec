/** The supervisor is killed: its roles end, and a new start finds nothing in its way. */

import { assert, assertEquals } from "@std/assert";
import { ID_HEADER } from "../support/load.ts";
import { AUTHOR, DEFERRED, Scene } from "./scene.ts";

/** What issue and documentation promise. */
const ROLES_END_MS = 2000;

/** On a machine that does other work as well, one try in this many has to be in time. */
const TRIES = 3;

Deno.test("roles end within two seconds of their supervisor, and a new start delivers what waits", async () => {
  await using scene = await Scene.start();
  const { system } = scene;
  // Every role that starts on request has started.
  for (const [to, id] of [["u1@box.test", "local"], [DEFERRED, "deferred"]] as const) {
    await system.send(to, `${ID_HEADER}: ${id}\n\nx\n`, AUTHOR);
  }
  await system.until(() =>
    system.processes("smtp").length > 0 && system.processes("virtual").length > 0
  );
  const took: number[] = [];
  do {
    const killed = performance.now();
    await system.stop("SIGKILL");
    await system.until(() => system.everyProcess().length === 0, ROLES_END_MS * 5);
    took.push(Math.round(performance.now() - killed));
    await system.start();
  } while (took.at(-1)! >= ROLES_END_MS && took.length < TRIES);
  assert(took.at(-1)! < ROLES_END_MS, `the last role ended after ${took} ms`);
  await scene.untilQuiet();
  assertEquals(
    ["local", "deferred"].filter((id) => !scene.delivered.has(id)),
    [],
  );
});

Deno.test("a killed supervisor leaves no socket and no pid file that keeps a new one from starting", async () => {
  await using scene = await Scene.start();
  const { system } = scene;
  for (let i = 0; i < 2; i++) {
    await system.killEverything();
    await system.start();
    await system.send("u1@sink.test", `${ID_HEADER}: after-${i}\n\nx\n`, AUTHOR);
  }
  await scene.untilQuiet();
  assertEquals([...scene.delivered.keys()].toSorted(), ["after-0", "after-1"]);
  assertEquals(await system.stop(), 0);
});
