/**
 * The `soak` task: mixed mail with reloads, kills and queue commands; prints how everything grew.
 *
 *   deno task soak [--minutes 20]
 *
 * Exit code 1 when something grew above its limit or is left over.
 */

import { parseArgs } from "@std/cli";
import { soak } from "./soak.ts";

const { minutes: text } = parseArgs(Deno.args, {
  string: ["minutes"],
  default: { minutes: "20" },
  unknown: usage,
});
const minutes = Number(text);
if (!(minutes >= 1)) usage();

const { growth, mail, trouble, left } = await soak(minutes);
for (const [kind, { taken, failed }] of Object.entries(mail)) {
  const attempts = [...failed.values()].reduce((sum, count) => sum + count, 0);
  console.log(`${kind.padEnd(24)} ${taken} taken, ${attempts} failed`);
  for (const [why, count] of failed) console.log(`${"".padEnd(24)} ${count} times: ${why}`);
}
console.log(JSON.stringify(trouble));
let failures = left.length ? 1 : 0;
for (const { name, mean, perMinute, growth: grown, limit } of growth) {
  const kept = grown <= limit;
  if (!kept) failures++;
  console.log(
    `${name.padEnd(24)} mean ${mean.toFixed(1).padStart(7)}  slope ${
      perMinute.toFixed(3).padStart(8)
    } a minute  ${grown.toFixed(1).padStart(7)} in all  at most ${limit}  ${
      kept ? "ok" : "FAILED"
    }`,
  );
}
console.log(`files left over: ${left.length}`);
for (const path of left) console.log(path);
Deno.exit(failures ? 1 : 0);

function usage(): never {
  console.error("usage: deno task soak [--minutes N]");
  Deno.exit(64);
}
