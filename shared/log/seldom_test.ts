import { assertEquals } from "@std/assert";
import { setSink } from "./log.ts";
import { seldom, SELDOM_MS } from "./seldom.ts";

Deno.test("seldom() writes the first warning, then one in a while with how many were left out", () => {
  const lines: string[] = [];
  setSink((severity, text) => void lines.push(`${severity}: ${text}`));
  const clock = { now: 0 };
  const warn = seldom(() => clock.now);
  for (let n = 0; n < 1000; n++) {
    warn(`bad ${n}`);
    clock.now += SELDOM_MS / 400;
  }
  clock.now += SELDOM_MS;
  warn("bad again");
  warn("bad for ever");
  assertEquals(lines, [
    "warning: bad 0",
    "warning: bad 400 (and 399 more)",
    "warning: bad 800 (and 399 more)",
    "warning: bad again (and 199 more)",
  ]);
});
