import { assert, assertEquals } from "@std/assert";
import { fuzz } from "./fuzz.ts";

/** `fuzz` looks for more with others; here a fault is to come from the change that is tested. */
const SEED = 20_261_122, SECONDS = 8;

Deno.test("no fuzzed SMTP session crashes a role, yields a message of its own, or leaves state behind", async () => {
  const { faults, ...counts } = await fuzz({ seed: SEED, seconds: SECONDS });
  const { sessions, promised, clean } = counts;
  console.log(`seed ${SEED}: ${JSON.stringify(counts)}`);
  assertEquals(faults, []);
  assert(sessions > 20 && promised > 20 && clean > 10, "it tested little");
});
