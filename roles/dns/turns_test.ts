import { assertEquals } from "@std/assert";
import { type TurnLimits, Turns } from "./turns.ts";

const LIMITS: TurnLimits = {
  running: 3,
  runningEach: 2,
  waiting: 5,
  waitingEach: 3,
  waitMs: 60_000,
};

/** Notes whose turn has come, in order; what waits in vain is noted with a dash. */
function scene(limits: Partial<TurnLimits> = {}) {
  const turns = new Turns({ ...LIMITS, ...limits }), begun: string[] = [];
  const ends: Promise<void>[] = [];
  const enter = (name: string) => {
    const note = (mine: boolean) => void begun.push(mine ? name : `-${name}`);
    const turn = turns.enter(name);
    if (typeof turn === "boolean") note(turn);
    else ends.push(turn.then(note));
  };
  return { turns, begun, enter, all: () => Promise.all(ends) };
}

Deno.test("enter() lets one party have no more than its part, and the others in at once", async () => {
  const { turns, begun, enter, all } = scene();
  for (const name of ["a", "a", "a", "b"]) enter(name);
  assertEquals(begun, ["a", "a", "b"]);
  turns.leave("b");
  assertEquals(begun.length, 3);
  turns.leave("a");
  await all();
  assertEquals(begun, ["a", "a", "b", "a"]);
});

Deno.test("leave() gives parties that wait their turn one after the other", async () => {
  const { turns, begun, enter, all } = scene({ running: 1 });
  for (const name of ["x", "a", "a", "a", "b", "c"]) enter(name);
  for (const name of ["x", "a", "b", "c", "a"]) turns.leave(name);
  await all();
  assertEquals(begun, ["x", "a", "b", "c", "a", "a"]);
});

Deno.test("enter() refuses what would wait beyond the bounds", async () => {
  const { turns, begun, enter, all } = scene({ running: 1 });
  for (const name of ["x", "a", "a", "a", "a", "b", "b", "c"]) enter(name);
  assertEquals(begun, ["x", "-a", "-c"]);
  for (const name of ["x", "a", "b", "a", "b"]) turns.leave(name);
  await all();
  turns.leave("a");
  enter("z");
  assertEquals(begun.at(-1), "z");
});

Deno.test("enter() gives up after a while, and its place in the line", async () => {
  const { turns, begun, enter, all } = scene({ running: 1, waitMs: 5 });
  for (const name of ["x", "a"]) enter(name);
  await all();
  turns.leave("x");
  enter("b");
  assertEquals(begun, ["x", "-a", "b"]);
});
