import { assert, assertEquals } from "@std/assert";
import { crashRounds } from "./rounds.ts";

/** `test:crash` has two hundred: here each victim has its turn once. */
const ROUNDS = 14;

Deno.test(`no accepted message is lost or doubled in ${ROUNDS} rounds of kills`, async () => {
  const seed = Date.now() % 1_000_000;
  console.log(`seed ${seed}`);
  const counts = await crashRounds({ rounds: ROUNDS, seed, messages: 200 });
  console.log(JSON.stringify(counts));
  const { accepted, delivered, bounced, queued, lost, doubled, kills } = counts;
  assertEquals(lost, []);
  assertEquals(doubled, []);
  assertEquals(delivered + bounced + queued, accepted);
  assert(accepted > ROUNDS * 50, `only ${accepted} were accepted: the test tested little`);
  for (const [victim, count] of Object.entries(kills)) assert(count > 0, `${victim} never died`);
});
