import { assert, assertEquals } from "@std/assert";
import { fuzz } from "./fuzz.ts";

const SECONDS = 8;

Deno.test("no fuzzed SMTP session crashes a role, yields a message of its own, or leaves state behind", async () => {
  const seed = Math.floor(Math.random() * 1e9);
  const { faults, ...counts } = await fuzz({ seed, seconds: SECONDS });
  const { sessions, promised, clean } = counts;
  console.log(`seed ${seed}: ${JSON.stringify(counts)}`);
  assertEquals(faults, []);
  assert(sessions > 20 && promised > 20 && clean > 10, "it tested little");
});
