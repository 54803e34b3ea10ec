import { assertEquals } from "@std/assert";
import type { Said } from "../../shared/log/said.ts";
import { Merge } from "./merge.ts";

function said(since: number, ...lines: [string, number][]): Said {
  return { since, lines: lines.map(([line]) => line), after: lines.map(([, after]) => after) };
}

Deno.test("add() puts lines of several roles in the order in which they were said", async () => {
  const log: string[] = [];
  const merge = new Merge((lines) => log.push(...lines));
  await Promise.all([
    merge.add(said(1_000_500, ["active", 0], ["removed", 9_000])),
    merge.add(said(1_000_000, ["client", 0])),
    merge.add(said(1_000_200, ["message-id", 0])),
    merge.add(said(1_004_000, ["sent", 0])),
  ]);
  assertEquals(log, ["client", "message-id", "active", "sent", "removed"]);
});

Deno.test("add() writes what was said before when it comes later, and waits for no more", async () => {
  const log: string[] = [];
  let now = 0;
  const merge = new Merge((lines) => log.push(...lines), () => now);
  const first = merge.add(said(5_000, ["late", 0]));
  now = 100;
  const second = merge.add(said(2_000, ["early", 0], ["later still", 10_000]));
  now = 200;
  await first;
  assertEquals(log, ["early", "late"]);
  now = 300;
  await second;
  assertEquals(log, ["early", "late", "later still"]);
});

Deno.test("flush() writes at once, in order, and what comes after it is written too", async () => {
  const log: string[] = [];
  const merge = new Merge((lines) => log.push(...lines));
  const both = [merge.add(said(2, ["b", 0])), merge.add(said(1, ["a", 0]))];
  merge.flush();
  assertEquals(log, ["a", "b"]);
  await Promise.all(both);
  await merge.add(said(0, ["c", 0]));
  assertEquals(log, ["a", "b", "c"]);
});

Deno.test("add() holds no more than so many lines", () => {
  const log: string[] = [];
  const merge = new Merge((lines) => log.push(...lines));
  for (let n = 0; n < 6; n++) {
    merge.add(said(n, ...Array.from({ length: 10_000 }, (): [string, number] => ["x", 0])));
  }
  assertEquals(log.length, 60_000);
});
