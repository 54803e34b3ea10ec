/** The `fuzz` task: fuzzed SMTP sessions against the whole system. `--seed S` repeats a run, `--minutes M` is how long. */

import { parseArgs } from "@std/cli";
import { fuzz } from "./fuzz.ts";

const { seed, minutes, sessions } = parseArgs(Deno.args, {
  string: ["seed", "minutes", "sessions"],
  default: { seed: String(Math.floor(Math.random() * 1e9)), minutes: "1", sessions: "Infinity" },
  unknown: usage,
});
if (![seed, minutes, sessions].every((each) => Number(each) >= 0)) usage();

console.log(`seed ${seed}`);
const { faults, ...counts } = await fuzz({
  seed: Number(seed),
  seconds: Number(minutes) * 60,
  sessions: Number(sessions),
  wide: true,
  report: (line) => console.log(line),
});
for (const fault of faults) console.log(fault);
console.log(`seed ${seed}: ${JSON.stringify(counts)}, ${faults.length} faults`);
Deno.exit(faults.length ? 1 : 0);

function usage(): never {
  console.error("usage: deno task fuzz [--seed S] [--minutes M] [--sessions N]");
  Deno.exit(64);
}
