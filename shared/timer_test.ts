import { assertEquals } from "@std/assert";
import { timerMs } from "./timer.ts";

Deno.test("timerMs() gives milliseconds that a timer can wait, of any number of days", async () => {
  assertEquals(timerMs(300), 300_000);
  let fired = false;
  const timer = setTimeout(() => fired = true, timerMs(30 * 86_400));
  await new Promise((resolve) => setTimeout(resolve, 50));
  clearTimeout(timer);
  assertEquals(fired, false);
});
