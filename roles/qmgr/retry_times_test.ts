/** The vectors of reference 2.5. */

import { assertEquals } from "@std/assert";
import { believedArrival, expiry, isDelayed, nextTry, type RetrySettings } from "./retry_times.ts";

const SETTINGS: RetrySettings = {
  minimalBackoff: 300_000,
  maximalBackoff: 4_000_000,
  lifetime: 432_000_000,
  bounceLifetime: 432_000_000,
  delayWarning: 0,
};

for (
  const [what, arrived, believed] of [
    ["now", 0, 0],
    ["a minute ahead", 60_000, 60_000],
    ["far ahead", 8.6e15, 300_000],
    ["a day ago", -86_400_000, -86_400_000],
    ["the longest lifetime ago", -432_000_000, -432_000_000],
    ["longer ago", -432_000_001, -432_000_000],
    ["at the epoch", -1_700_000_000_000, -432_000_000],
  ] as const
) {
  Deno.test(`a message that says it came ${what} came ${believed / 1000} seconds from now`, () => {
    const now = 1_700_000_000_000;
    assertEquals(believedArrival(now + arrived, now, SETTINGS) - now, believed);
  });
}

Deno.test("a message may have come a day ago, however short its lifetime is", () => {
  const now = 1_700_000_000_000, none = { lifetime: 0, bounceLifetime: 0 };
  assertEquals(believedArrival(now - 86_400_000, now, none), now - 86_400_000);
  assertEquals(believedArrival(0, now, none), now - 86_400_000);
});

Deno.test("nextTry() doubles the pause from 300 to 4000 seconds", () => {
  const pauses = [];
  for (let now = 0, i = 0; i < 7; i++) {
    const next = nextTry(0, now, SETTINGS);
    pauses.push((next - now) / 1000);
    now = next;
  }
  assertEquals(pauses, [300, 300, 600, 1200, 2400, 4000, 4000]);
});

Deno.test("nextTry() takes mail from the future as new", () => {
  assertEquals(nextTry(5_000_000, 1000, SETTINGS), 301_000);
});

Deno.test("expiry() gives mail from the null sender no more time than other mail", () => {
  const settings = { ...SETTINGS, lifetime: 1000, bounceLifetime: 500 };
  assertEquals(expiry(7, "a@x", settings), 1007);
  assertEquals(expiry(7, "", settings), 507);
  assertEquals(expiry(7, "", { ...settings, bounceLifetime: 9000 }), 1007);
});

Deno.test("isDelayed() is never true where delay_warning_time is 0", () => {
  assertEquals(isDelayed(0, 1e12, SETTINGS), false);
  const settings = { ...SETTINGS, delayWarning: 3_600_000 };
  assertEquals([3_599_999, 3_600_000].map((now) => isDelayed(0, now, settings)), [false, true]);
});
