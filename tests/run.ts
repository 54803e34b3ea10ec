/**
 * The `test` task: format, lint, types and every suite. Ends with exactly one line, `N passed, N failed`, in which
 * format, lint and types count as one each, like the two looks at the suites as a whole.
 */

import { join } from "@std/path";
import { audit, auditDirectory } from "./audit/audit.ts";

/** One thing that is run and counted. */
interface Step {
  readonly name: string;
  readonly args: readonly string[];
  /** So many test files at once; one unless said otherwise. */
  readonly jobs?: number;
  /** What is added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

interface Result {
  readonly name: string;
  passed: number;
  failed: number;
  skipped: string[];
  output: string;
}

/** Nothing here takes longer, not even where the machine is busy; a step that hangs is a failure, not a silent CI job. */
const STEP_MINUTES = 10;
const NAME_COLUMNS = 17;

const checks: readonly Step[] = [
  { name: "format", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint"] },
  { name: "types", args: ["check", "."] },
];

/** Where roles note the permissions that they ask for while the delivery tests run. */
const noted = auditDirectory();

/** What changes, or counts, what belongs to the whole process: its user, its umask, its descriptors, its memory. */
const OF_PROCESS = [
  join("roles", "commands", "as_owner_test.ts"),
  join("roles", "commands", "maildrop_test.ts"),
  join("roles", "supervisor", "member_test.ts"),
  join("roles", "virtual", "directories_test.ts"),
  join("shared", "ipc", "streams_test.ts"),
  join("shared", "maildrop", "drop_test.ts"),
];

/** So many suites run at once, beside the checks: most tests wait now and then. */
const AT_ONCE = 2;

/** The longest first. */
const suites: readonly Step[] = [
  { name: "beside the code", args: besideTheCode(), jobs: 3 },
  { name: "trouble", args: below("crash", "fuzz", "peers", "role"), jobs: 3 },
  { name: "delivery", args: below("delivery"), jobs: 2, env: { POSTERN_AUDIT_DIR: noted } },
  {
    // What a compiled binary does, with the dialogs that go through every role.
    name: "delivery, workers",
    args: ["receive", "lifecycle"].map((name) => join("tests", "delivery", `${name}_test.ts`)),
    jobs: 2,
    env: { POSTERN_SANDBOX: "worker" },
  },
  { name: "sandbox", args: below("sandbox"), jobs: 2 },
  { name: "one at a time", args: OF_PROCESS },
  { name: "rules", args: below("rules"), jobs: 2 },
  { name: "tools", args: below("audit", "compile", "dialogs", "soak", "support"), jobs: 2 },
];

/** Measures, and so runs alone. */
const limits: Step = { name: "limits", args: below("scale") };

function besideTheCode(): string[] {
  return ["policies", "roles", "shared"].flatMap(testFiles)
    .filter((path) => !OF_PROCESS.includes(path));
}

function below(...folders: string[]): string[] {
  return folders.flatMap((name) => testFiles(join("tests", name)));
}

/** Counts as one: whether a file of tests is in no suite. */
// deno-lint-ignore require-await
async function complete(step: Step): Promise<Result> {
  const run = new Set([...suites, limits].flatMap(({ args }) => args));
  const folders = [...Deno.readDirSync(".")].filter(({ name, isDirectory }) =>
    isDirectory && !/^(\..*|node_modules|var)$/.test(name)
  );
  const forgotten = folders.flatMap(({ name }) => testFiles(name)).filter((path) => !run.has(path));
  const failed = Number(forgotten.length > 0);
  const output = `in no suite of tests/run.ts:\n${forgotten.join("\n")}`;
  return { name: step.name, passed: 1 - failed, failed, skipped: [], output };
}

/** Files named `*_test.ts` at or below a path. */
function testFiles(path: string): string[] {
  try {
    if (Deno.statSync(path).isFile) return [path];
  } catch {
    return [];
  }
  return [...Deno.readDirSync(path)].flatMap((entry) => {
    const below = join(path, entry.name);
    if (entry.isDirectory) return testFiles(below);
    return entry.name.endsWith("_test.ts") ? [below] : [];
  }).toSorted();
}

/** Runs deno to its end and brings back all that it printed. */
async function deno(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ ok: boolean; output: string }> {
  const signal = AbortSignal.timeout(STEP_MINUTES * 60_000);
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    signal,
  });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  const late = signal.aborted ? `\nstopped after ${STEP_MINUTES} minutes\n` : "";
  return { ok: success, output: text.decode(stdout) + text.decode(stderr) + late };
}

async function check(step: Step): Promise<Result> {
  const { ok, output } = await deno(step.args);
  return { name: step.name, passed: Number(ok), failed: Number(!ok), skipped: [], output };
}

/** Runs test files and counts from the report that deno writes; what is not in it, such as a crash, is one failure. */
async function suite(step: Step): Promise<Result> {
  const report = await Deno.makeTempFile({ prefix: "postern-report-" });
  try {
    // Types were checked already.
    const flags = ["--allow-all", "--no-prompt", "--no-check", `--junit-path=${report}`];
    const args = ["test", "--parallel", ...flags, ...step.args];
    const { ok, output } = await deno(args, { DENO_JOBS: `${step.jobs ?? 1}`, ...step.env });
    const result: Result = { name: step.name, passed: 0, failed: 0, skipped: [], output };
    for (const test of (await Deno.readTextFile(report)).split("<testcase ").slice(1)) {
      const name = /^name="([^"]*)"/.exec(test)?.[1] ?? "";
      if (test.includes("<skipped/>")) result.skipped.push(name);
      else if (test.includes("<failure ")) result.failed++;
      else result.passed++;
    }
    if (!ok && result.failed === 0) result.failed = 1;
    if (ok && result.passed + result.skipped.length === 0) result.failed = 1;
    return result;
  } finally {
    await Deno.remove(report);
  }
}

/** What the delivery tests' roles asked for against what their rows grant; counts as one. */
// deno-lint-ignore require-await
async function rights(step: Step): Promise<Result> {
  const { ok, text } = audit(noted);
  Deno.removeSync(noted, { recursive: true });
  return { name: step.name, passed: Number(ok), failed: Number(!ok), skipped: [], output: text };
}

async function timed(step: Step, run: (step: Step) => Promise<Result>): Promise<Result> {
  const began = Date.now();
  const result = await run(step);
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const skipped = result.skipped.length ? `, ${result.skipped.length} skipped` : "";
  const counts = `${result.passed} passed, ${result.failed} failed${skipped}`;
  console.log(`${step.name.padEnd(NAME_COLUMNS)} ${counts} (${seconds} s)`);
  return result;
}

/** A failed step's output without its successes. */
function failures(output: string): string {
  const success = / \.\.\. (ok|ignored) \(|^Check /;
  return output.split("\n").filter((line) => !success.test(line)).join("\n").trim();
}

if (Deno.args.length) {
  console.error("usage: deno task test; one file: deno test -A FILE");
  Deno.exit(64);
}
const results: Result[] = [];
const run = async (step: Step, how: (step: Step) => Promise<Result>) => {
  results.push(await timed(step, how));
};
const waiting = [...suites];
const work = async () => {
  for (let step = waiting.shift(); step; step = waiting.shift()) await run(step, suite);
};
await Promise.all([
  ...checks.map((step) => run(step, check)),
  run({ name: "every test file", args: [] }, complete),
  ...Array.from({ length: AT_ONCE }, work),
]);
await run({ name: "rights used", args: [] }, rights);
await run(limits, suite);

for (const result of results) {
  for (const name of result.skipped) console.log(`${"skipped".padEnd(NAME_COLUMNS)} ${name}`);
}
for (const { failed, name, output } of results) {
  if (failed) console.log(`\n== ${name} ==\n${failures(output)}`);
}
const sum = (count: (result: Result) => number) => results.reduce((all, r) => all + count(r), 0);
const failed = sum((result) => result.failed), skipped = sum((result) => result.skipped.length);
const tail = skipped ? `, ${skipped} skipped` : "";
console.log(`${sum((result) => result.passed)} passed, ${failed} failed${tail}`);
Deno.exit(failed ? 1 : 0);
