import { assertEquals } from "@std/assert";
import { Line } from "./waiting_line.ts";

const anybody = () => true;

Deno.test("one user's thousands do not delay another's one", () => {
  const line = new Line<string>();
  for (let n = 0; n < 1000; n++) line.add(1000, `a${n}`);
  line.add(1001, "b0");
  line.add(1002, "c0");
  assertEquals([1, 2, 3, 4].map(() => line.take(anybody)?.item), ["a0", "b0", "c0", "a1"]);
});

Deno.test("there is room for another user when one has filled its share", () => {
  const line = new Line<string>();
  let taken = 0;
  while (line.add(1000, "a")) taken++;
  assertEquals(taken, 1000);
  assertEquals(line.add(1001, "b"), true);
  assertEquals(line.length, 1001);
});

Deno.test("an empty line has nobody to take", () => {
  const line = new Line<string>();
  line.add(1, "a");
  assertEquals([line.take(anybody)?.item, line.take(anybody), line.length], ["a", undefined, 0]);
});

Deno.test("a user who may not have a turn now keeps its place, and the next one is taken", () => {
  const line = new Line<string>();
  for (const uid of [1000, 1001]) line.add(uid, `of ${uid}`);
  assertEquals(line.take((uid) => uid !== 1000), { uid: 1001, item: "of 1001" });
  assertEquals(line.take((uid) => uid !== 1000), undefined);
  assertEquals(line.take(anybody), { uid: 1000, item: "of 1000" });
});
