import { assert, assertEquals } from "@std/assert";
import { fuzz } from "./fuzz.ts";

const SECONDS = 15;

Deno.test("no fuzzed SMTP session crashes a role, yields a message of its own, or leaves state behind", async () => {
  const seed = Math.floor(Math.random() * 1e9);
  const { faults, sessions, promised, clean } = await fuzz({ seed, seconds: SECONDS });
  console.log(`seed ${seed}: ${sessions} sessions, ${promised} messages, ${clean} clean endings`);
  assertEquals(faults, []);
  assert(sessions > 20 && promised > 20 && clean > 10, "it tested little");
});
