import { assertEquals, assertMatch } from "@std/assert";
import { setSink } from "../../shared/log/log.ts";
import { Counts } from "./counts.ts";

const A = ["smtp", "192.0.2.1"] as const;
const B = ["smtp", "192.0.2.2"] as const;

function counts(limit?: number) {
  const clock = { now: 1_000_000 };
  return { clock, counts: new Counts(60_000, () => clock.now, limit, () => clock.now) };
}

Deno.test("connections count until they end, each client and service for itself", () => {
  const { counts: c } = counts();
  assertEquals(c.connect(...A), { connections: 1, rate: 1 });
  assertEquals(c.connect(...A), { connections: 2, rate: 2 });
  assertEquals(c.connect(...B), { connections: 1, rate: 1 });
  assertEquals(c.connect("submission", A[1]), { connections: 1, rate: 1 });
  c.disconnect(...A);
  assertEquals(c.connect(...A), { connections: 2, rate: 3 });
});

Deno.test("a client that never connected cannot have fewer than no connections", () => {
  const { counts: c } = counts();
  c.disconnect(...A);
  c.event(...A, "message", 1);
  c.disconnect(...A);
  assertEquals(c.connect(...A).connections, 1);
});

Deno.test("rates begin anew with each time unit, connections do not", () => {
  const { clock, counts: c } = counts();
  c.connect(...A);
  assertEquals(c.event(...A, "recipient", 5), 5);
  clock.now += 59_999;
  assertEquals(c.event(...A, "recipient", 5), 10);
  clock.now += 1;
  assertEquals(c.event(...A, "recipient", 1), 1);
  assertEquals(c.event(...A, "message", 1), 1);
  assertEquals(c.connect(...A), { connections: 2, rate: 1 });
});

Deno.test("sweep() forgets clients that are gone, and no others", () => {
  const { clock, counts: c } = counts();
  c.connect(...A);
  c.event(...B, "message", 1);
  c.sweep();
  assertEquals(c.size, 2);
  clock.now += 60_000;
  c.sweep();
  assertEquals(c.size, 1);
  c.disconnect(...A);
  assertEquals(c.size, 0);
});

Deno.test("the table is bounded, and connected clients stay in it", () => {
  const { counts: c } = counts(100);
  c.connect(...A);
  for (let n = 0; n < 1000; n++) c.event("smtp", `client${n}`, "message", 1);
  assertEquals(c.size, 100);
  assertEquals(c.connect(...A).connections, 2);
  for (let n = 0; n < 1000; n++) c.connect("smtp", `connected${n}`);
  assertEquals(c.size, 100);
});

Deno.test("report() logs the peaks since the last report", () => {
  const log: string[] = [];
  setSink((_, text) => log.push(text));
  const { counts: c } = counts();
  c.connect(...B);
  c.connect(...A);
  c.connect(...A);
  c.event(...A, "newtls", 1);
  c.report();
  const at = / at [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}$/;
  for (const line of log) assertMatch(line, at);
  assertEquals(log.map((line) => line.replace(at, "")), [
    "statistics: max connection rate 2/60s for (smtp:192.0.2.1)",
    "statistics: max connection count 2 for (smtp:192.0.2.1)",
    "statistics: max newtls rate 1/60s for (smtp:192.0.2.1)",
    "statistics: max cache size 2",
  ]);
  c.report();
  assertEquals(log.length, 4);
});

Deno.test("a clock that is set makes no time unit longer or shorter", () => {
  const steady = { now: 0 }, day = { now: 1_000_000 };
  const c = new Counts(60_000, () => steady.now, 10, () => day.now);
  const rate = () => c.event("smtp", "192.0.2.1", "message", 1);
  assertEquals([rate(), rate()], [1, 2]);
  day.now -= 86_400_000;
  assertEquals(rate(), 3);
  steady.now += 60_000;
  assertEquals(rate(), 1);
  day.now += 86_400_000;
  assertEquals(rate(), 2);
});
