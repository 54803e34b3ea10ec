import { assertEquals, assertThrows } from "@std/assert";
import { StorageError } from "../../shared/errors.ts";
import { setSink } from "../../shared/log/log.ts";
import { FreeSpace, type Need } from "./free_space.ts";

function space(free: () => number, minimum: number, messageSize: number, inside = 0) {
  const scene = { now: 0, looks: 0, shrunk: 0 };
  const store = {
    strained: false,
    room: () => (scene.looks++, { disk: free(), inside }),
    shrink: () => void scene.shrunk++,
  };
  return { scene, store, space: new FreeSpace(store, () => scene.now, { minimum, messageSize }) };
}

Deno.test("check() refuses mail below queue_minfree, and below one and a half messages", () => {
  for (
    const [free, minimum, messageSize, refused] of [
      [999, 1000, 0, true],
      [1000, 1000, 0, false],
      [1499, 0, 1000, true],
      [1500, 0, 1000, false],
      [0, 0, 0, false],
    ] as const
  ) {
    const { space: each } = space(() => free, minimum, messageSize);
    if (refused) assertThrows(() => each.check("large"), StorageError, `${free} bytes`);
    else each.check("large");
  }
});

Deno.test("check() looks at the disk once a second, and takes mail when there is room again", () => {
  let free = 1000;
  const { scene, space: each } = space(() => free, 100, 0);
  for (let i = 0; i < 5; i++) each.check("large");
  assertEquals(scene.looks, 1);
  free = 10;
  scene.now = 1000;
  assertThrows(() => each.check("large"), StorageError);
  free = 1000;
  scene.now = 2000;
  each.check("large");
});

Deno.test("check() has the queue give space back before it refuses, at most once a second", () => {
  const { scene, space: each } = space(() => scene.shrunk ? 100 : 10, 100, 0);
  each.check("large");
  assertEquals(scene, { now: 0, looks: 2, shrunk: 1 });
  each.hold(1);
  for (let i = 0; i < 5; i++) assertThrows(() => each.check("large"), StorageError);
  assertEquals(scene, { now: 0, looks: 2, shrunk: 1 });
  scene.now = 1000;
  assertThrows(() => each.check("large"), StorageError);
  assertEquals(scene, { now: 1000, looks: 4, shrunk: 2 });
});

Deno.test("check() counts what was let in since the last look", () => {
  const { scene, space: each } = space(() => 1000, 100, 0);
  // Before the first is refused there is a look.
  for (const looks of [1, 2]) {
    each.check("large");
    assertEquals(scene.looks, looks);
    each.hold(900);
    each.release(900);
    each.check("large");
    each.hold(1);
    each.release(1);
  }
  assertThrows(() => each.check("large"), StorageError, "99 bytes");
  scene.now = 1000;
  each.check("large");
});

Deno.test("check() counts what was let in before the last look and is not written yet", () => {
  const { scene, space: each } = space(() => 1000, 100, 0);
  each.check("large");
  each.hold(901);
  scene.now = 1000;
  assertThrows(() => each.check("large"), StorageError, "99 bytes");
  each.release(901);
  scene.now = 2000;
  each.check("large");
});

/** With messages of at most 1000 bytes: what there is, what there has to be for each need. */
const needs: [free: number, inside: number, minimum: number, need: Need, refused: boolean][] = [
  [1499, 5000, 0, "large", true],
  [1500, 0, 0, "large", false],
  // It may use the room of the largest.
  [500, 0, 0, "more", false],
  [499, 5000, 0, "more", true],
  [4000, 0, 5000, "more", false],
  [3999, 0, 5000, "more", true],
  // What the database has free is room, but not when nothing else is; and it leaves room for a large one.
  [2500, 0, 0, "small", false],
  [2499, 0, 0, "small", true],
  [0, 2500, 0, "small", false],
  [0, 2499, 0, "small", true],
  [-1, 5000, 0, "small", true],
  [6000, 0, 5000, "small", false],
  [5999, 0, 5000, "small", true],
];

for (const [free, inside, minimum, need, refused] of needs) {
  const verdict = refused ? "refuses" : "takes";
  const room = `${free} bytes on the disk and ${inside} in the database, of ${minimum}`;
  Deno.test(`check() ${verdict} what is ${need} with ${room}`, () => {
    const { space: each } = space(() => free, minimum, 1000, inside);
    if (refused) assertThrows(() => each.check(need), StorageError, `${free} bytes`);
    else each.check(need);
  });
}

Deno.test("check() looks anew while changes need what is kept for them", () => {
  let free = 1000;
  const { scene, store, space: each } = space(() => free, 100, 0);
  each.check("large");
  free = 0;
  each.check("large");
  assertEquals(scene.looks, 1);
  store.strained = true;
  assertThrows(() => each.check("large"), StorageError, "0 bytes");
});

Deno.test("check() takes mail where it may not look, and warns once", () => {
  const warnings: string[] = [];
  setSink((_severity, text) => warnings.push(text));
  const { scene, space: each } = space(
    () => {
      throw new Deno.errors.NotCapable("Requires sys access to statfs");
    },
    100,
    0,
  );
  for (scene.now = 0; scene.now < 5000; scene.now += 1000) each.check("large");
  assertEquals([scene.looks, warnings], [
    1,
    ["free space of the queue is not watched: Requires sys access to statfs"],
  ]);
});

Deno.test("check() takes mail while the free space cannot be seen, and looks again", () => {
  const warnings: string[] = [];
  setSink((_severity, text) => warnings.push(text));
  let see: () => number = () => 10;
  const { scene, space: each } = space(() => see(), 100, 0);
  const check = () => {
    scene.now += 1000;
    each.check("large");
  };
  const broken = () => {
    throw new Error("input/output error");
  };
  assertThrows(check, StorageError, "10 bytes");
  see = broken;
  check();
  check();
  see = () => 11;
  assertThrows(check, StorageError, "11 bytes");
  see = broken;
  check();
  see = () => 1000;
  check();
  const warned = "free space of the queue is not known: input/output error";
  assertEquals([scene.looks - scene.shrunk, warnings], [6, [warned, warned]]);
});
