/** The worked vectors of reference 2.4. */

import { assertEquals, assertThrows } from "@std/assert";
import type { Feedback } from "../../../shared/parameters/qmgr.ts";
import { feedback } from "../../../shared/parameters/qmgr.ts";
import { testSettings } from "./test_settings.ts";
import { Window } from "./window.ts";

const over = (amount: number, over: Feedback["over"]): Feedback => ({ amount, over });

Deno.test("failed() takes a fresh window of 5 to 3, to 2, and to dead at the third failure", () => {
  const window = new Window(testSettings({ initialConcurrency: 5 }));
  const seen = [0, 0, 0].map(() => {
    const dead = window.failed();
    return [window.size, Math.round(window.failedCohorts * 100) / 100, dead];
  });
  assertEquals(seen, [[3, 0.2, false], [2, 0.53, false], [0, 1.03, true]]);
});

Deno.test("failed() takes the careful window of 2 to 1, and to dead at the second failure", () => {
  const window = new Window(testSettings());
  assertEquals([window.size, window.failed(), window.size], [2, false, 1]);
  assertEquals([window.failed(), window.size], [true, 0]);
});

Deno.test("succeeded() adds one at each success, up to busy and initial, and to the limit", () => {
  const window = new Window(testSettings({ initialConcurrency: 5, concurrencyLimit: 8 }));
  window.succeeded(1);
  assertEquals(window.size, 6);
  window.succeeded(1);
  assertEquals(window.size, 6); // busy + initial
  for (let i = 0; i < 9; i++) window.succeeded(7);
  assertEquals(window.size, 8);
});

Deno.test("succeeded() has no limit where there is none", () => {
  const window = new Window(testSettings({ concurrencyLimit: Infinity }));
  for (let i = 0; i < 100; i++) window.succeeded(window.size);
  assertEquals(window.size, 102);
});

Deno.test("succeeded() revives a dead window at what is busy, or at the initial size", () => {
  for (const [busy, size] of [[3, 3], [0, 2]] as const) {
    const window = new Window(testSettings());
    window.failed();
    window.failed();
    window.succeeded(busy);
    assertEquals([window.size, window.failedCohorts, window.failure], [size, 0, 0]);
  }
});

Deno.test("succeeded() forgets failed cohorts: only failures in a row kill", () => {
  const window = new Window(testSettings({ initialConcurrency: 1 }));
  window.settings = testSettings({ initialConcurrency: 4, failedCohortLimit: 2 });
  for (let i = 0; i < 20; i++) {
    assertEquals(window.failed(), false);
    window.succeeded(1);
  }
});

Deno.test("failed() never kills where the cohort limit is 0, and never goes below 1", () => {
  const window = new Window(testSettings({ failedCohortLimit: 0 }));
  for (let i = 0; i < 50; i++) assertEquals(window.failed(), false);
  assertEquals(window.size, 1);
});

Deno.test("feedback over the concurrency needs a window of successes for one step", () => {
  const window = new Window(testSettings({
    initialConcurrency: 10,
    concurrencyLimit: 100,
    positiveFeedback: over(1, "concurrency"),
  }));
  const sizes = [];
  for (let i = 0; i < 21; i++) {
    window.succeeded(10);
    sizes.push(window.size);
  }
  // 10 x 1/10 reach 1 within half a step; then 11 x 1/11.
  assertEquals(sizes.indexOf(11), 9);
  assertEquals(sizes.indexOf(12), 20);
});

Deno.test("feedback over the square root weighs 1/3 at 9", () => {
  const window = new Window(testSettings({
    initialConcurrency: 9,
    concurrencyLimit: Infinity,
    positiveFeedback: over(1, "sqrt_concurrency"),
  }));
  window.succeeded(9);
  window.succeeded(9);
  assertEquals(window.size, 9);
  window.succeeded(9);
  assertEquals(window.size, 10);
});

Deno.test("less negative feedback shrinks the window less often", () => {
  const window = new Window(testSettings({
    initialConcurrency: 10,
    failedCohortLimit: 10,
    negativeFeedback: over(0.5, "one"),
  }));
  const sizes = [0, 0, 0, 0].map(() => {
    window.failed();
    return window.size;
  });
  // The first failure after a success counts double.
  assertEquals(sizes, [9, 8, 8, 7]);
});

for (
  const [text, parsed] of [
    ["1", over(1, "one")],
    ["0.5", over(0.5, "one")],
    ["1/8", over(0.125, "one")],
    ["1/concurrency", over(1, "concurrency")],
    ["0.3/sqrt_concurrency", over(0.3, "sqrt_concurrency")],
  ] as const
) {
  Deno.test(`feedback ${text} is understood`, () => {
    assertEquals(feedback("x", "1", { doc: "." }).parse(text), parsed);
  });
}

for (const text of ["", "2", "-1", "1/0", "1/x", "concurrency", "1/2/3", "0.5 "]) {
  Deno.test(`feedback "${text}" is refused`, () => {
    assertThrows(() => feedback("x", "1", { doc: "." }).parse(text));
  });
}
