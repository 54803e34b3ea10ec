/** The `test:crash` task: 20 rounds, or as many as `--rounds N` says. Exit code 1 when a message is lost. */

import { crashRounds } from "./rounds.ts";

const at = Deno.args.indexOf("--rounds");
const rounds = at < 0 ? 20 : Number(Deno.args[at + 1]);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error("usage: deno task test:crash [--rounds N]");
  Deno.exit(64);
}

const { lost, ...counts } = await crashRounds({
  rounds,
  messages: 1000,
  sessions: 20,
  settleSeconds: 60,
  report: (line) => console.log(line),
});
console.log(JSON.stringify(counts));
console.log(`accepted ${counts.accepted}, lost ${lost.length}, duplicates ${counts.duplicates}`);
for (const id of lost.slice(0, 20)) console.log(`lost: ${id}`);
Deno.exit(lost.length ? 1 : 0);
