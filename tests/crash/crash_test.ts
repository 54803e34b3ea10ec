import { assert, assertEquals } from "@std/assert";
import { crashRounds } from "./rounds.ts";

/** The whole `test:crash` with fewer messages: every role is killed at least twice. */
const ROUNDS = 20;

Deno.test(`no accepted message is lost when roles are killed in ${ROUNDS} rounds`, async () => {
  const { accepted, delivered, queued, duplicates, kills, lost } = await crashRounds({
    rounds: ROUNDS,
    messages: 300,
    sessions: 10,
    settleSeconds: 40,
  });
  console.log(`accepted ${accepted}, duplicates ${duplicates}, kills ${JSON.stringify(kills)}`);
  assertEquals(lost, []);
  assertEquals(delivered + queued, accepted);
  assert(accepted > ROUNDS * 100, `only ${accepted} were accepted: the test tested little`);
  for (const [role, count] of Object.entries(kills)) assert(count > 0, `${role} was never killed`);
});
