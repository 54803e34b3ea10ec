import { assertEquals } from "@std/assert";
import { sessionLimit } from "./plans.ts";

for (
  const [wanted, descriptors, served] of [
    [10_000, Infinity, 10_000],
    [10_000, 20_000, 10_000],
    [10_000, 1024, 424],
    [10_000, 100, 1],
  ] as const
) {
  Deno.test(`${wanted} clients with ${descriptors} descriptors: ${served} are served`, () => {
    assertEquals(sessionLimit(wanted, descriptors), served);
  });
}
