import { assertEquals, assertThrows } from "@std/assert";
import { PeerError } from "../../shared/errors.ts";
import type { Spoken } from "../../shared/log/said.ts";
import { Merge } from "./merge.ts";
import { plausible } from "./plausible.ts";

const NOW = 5_000_000;

function spoken(since: number, ...after: number[]): Spoken {
  const lines = after.map((each) => `${since}+${each}`);
  return { since, after, lines, severities: "i".repeat(lines.length), fields: [] };
}

Deno.test("plausible() leaves what was said until now as it was said", () => {
  for (const said of [spoken(0, 0), spoken(NOW, 0, 0), spoken(4_000_000, 5, 5, 1_000_000)]) {
    assertEquals(plausible("p", said, NOW), said);
  }
});

Deno.test("plausible() takes what is said from the future for said now", () => {
  const { since, after } = plausible("p", spoken(4_000_000, 0, 500_000, 9e15), NOW);
  assertEquals([since, after], [4_000_000, [0, 500_000, 1_000_000]]);
  const later = plausible("p", spoken(9e15, 0, 9e15), NOW);
  assertEquals([later.since, later.after], [NOW, [0, 0]]);
});

const REFUSED: [string, Spoken][] = [
  ["lines without times", { ...spoken(0, 0, 0), after: [0] }],
  ["lines without severities", { ...spoken(0, 0, 0), severities: "i" }],
  ["times that go back", spoken(0, 9e15, 0)],
];

for (const [what, said] of REFUSED) {
  Deno.test(`plausible() refuses ${what}`, () => {
    assertThrows(() => plausible("p", said, NOW), PeerError);
  });
}

Deno.test("a line from the future waits for those of others like any line", async () => {
  const log: string[] = [];
  let now = 0;
  const merge = new Merge((lines) => log.push(...lines), () => now);
  const add = (said: Spoken) => merge.add(plausible("p", said, NOW + now * 1000));
  const liar = add(spoken(9e15, 0));
  now = 100;
  const late = add(spoken(NOW, 50_000));
  const early = add(spoken(4_000_000, 0));
  now = 200;
  await Promise.all([liar, early]);
  assertEquals(log, ["4000000+0", "9000000000000000+0"]);
  now = 300;
  await late;
  assertEquals(log.at(-1), "5000000+50000");
});
