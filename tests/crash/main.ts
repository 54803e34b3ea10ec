/**
 * The `test:crash` task: the tests of this folder with every victim, then rounds of random kills, 200 or as many as
 * `--rounds N` says, repeatable with `--seed S`; with `--sandbox LAYER` in one of `deno`, `bwrap` and `worker`. Exit code 1
 * when a message is lost, doubled or damaged.
 */

import { parseArgs } from "@std/cli";

const LAYERS = ["auto", "deno", "bwrap", "worker"];
const options = parseArgs(Deno.args, {
  string: ["rounds", "seed", "sandbox"],
  boolean: ["rounds-only"],
  default: { rounds: "200", seed: String(Date.now() % 1_000_000), sandbox: "auto" },
  unknown: usage,
});
const rounds = Number(options.rounds), seed = Number(options.seed), { sandbox } = options;
if (!Number.isInteger(rounds) || rounds < 1 || !(seed >= 0) || !LAYERS.includes(sandbox)) usage();
// Every system that is started from here on reads this.
Deno.env.set("POSTERN_SANDBOX", sandbox);
const { crashRounds } = await import("./rounds.ts");
if (!options["rounds-only"]) {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-prompt", "--no-check", import.meta.dirname!],
    env: { POSTERN_CRASH: "long" },
  }).spawn().status;
  if (!success) Deno.exit(1);
}
console.log(`seed ${seed}`);
const began = Date.now();
const { lost, doubled, damaged, ...counts } = await crashRounds({
  rounds,
  seed,
  messages: 200,
  report: (line) => console.log(line),
});
const { accepted, delivered, bounced, queued, duplicates, mostDuplicates, kills } = counts;
const sum = delivered + bounced + queued;
for (const id of lost.slice(0, 20)) console.log(`lost: ${id}`);
for (const id of damaged.slice(0, 20)) console.log(`damaged: ${id}`);
for (const id of doubled.slice(0, 20)) console.log(`doubled: ${id}`);
console.log(
  `killed ${Object.entries(kills).map(([role, count]) => `${role} ${count}`).join(", ")}`,
);
console.log(
  `rounds ${rounds}, accepted ${accepted} = delivered ${delivered} + bounced ${bounced} + queued ${queued}; ` +
    `lost ${lost.length}, damaged ${damaged.length}, duplicates ${duplicates} of a lost outcome (at most ${mostDuplicates} for one kill), ` +
    `${doubled.length} others; ` +
    `${Math.round((Date.now() - began) / 1000)} s`,
);
Deno.exit(lost.length || damaged.length || doubled.length || sum !== accepted ? 1 : 0);

function usage(): never {
  console.error(
    `usage: deno task test:crash [--rounds N] [--seed S] [--rounds-only] [--sandbox ${
      LAYERS.join("|")
    }]`,
  );
  Deno.exit(64);
}
