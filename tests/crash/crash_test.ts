import { assert, assertEquals } from "@std/assert";
import { crashRounds } from "./rounds.ts";

/** `test:crash` has two hundred: here each victim has its turn once. */
const ROUNDS = 14;
/** The moments of the kills differ all the same. */
const SEED = 20_261_122;

Deno.test(`no accepted message is lost, doubled or damaged in ${ROUNDS} rounds of kills`, async () => {
  const counts = await crashRounds({ rounds: ROUNDS, seed: SEED, messages: 200 });
  console.log(JSON.stringify(counts));
  const { accepted, delivered, bounced, queued, lost, doubled, damaged, kills } = counts;
  assertEquals(lost, []);
  assertEquals(doubled, []);
  assertEquals(damaged, []);
  assertEquals(delivered + bounced + queued, accepted);
  assert(accepted > ROUNDS * 50, `only ${accepted} were accepted: the test tested little`);
  for (const [victim, count] of Object.entries(kills)) assert(count > 0, `${victim} never died`);
});
