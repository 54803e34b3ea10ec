/** `compile`: the whole system as one program, with every role inside; for developers, from a clone. */

import { join } from "@std/path";
import { V8_FLAGS } from "../../policies/deno_flags.ts";
import { policies } from "../../policies/mod.ts";
import { EX } from "../../shared/errors.ts";
import type { CommandIo } from "./io.ts";

/** What is read beside the modules: the configuration that ships, and Postfix's defaults. */
const DATA = ["config", "shared/parameters/postfix_parameters.tsv"];

/** What roles and the workers around them need of the runtime, beside permissions. */
const RUNTIME = [
  "--unstable-worker-options",
  ...new Set(policies.flatMap((row) => row.unstable ?? []).map((name) => `--unstable-${name}`)),
  V8_FLAGS,
];

/** Runs `deno compile` with the flags given (permissions, `--output`); 69 with one message when its runtime is missing. */
export async function compile(flags: string[], io: CommandIo): Promise<number> {
  if (Deno.build.standalone) {
    io.err("compile: this is a compiled program: compile in a clone of the source\n");
    return EX.USAGE;
  }
  const modules = [...policies.map(({ role }) => `roles/${role}/main.ts`), "policies/probe.ts"];
  const include = [...modules, ...DATA].flatMap((path) => ["--include", path]);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["compile", "--frozen", "--no-check", ...RUNTIME, ...flags, ...include, "main.ts"],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  const output = text.decode(stdout) + text.decode(stderr);
  if (success) {
    io.out(output);
    return EX.OK;
  }
  const missing = missingRuntime(output);
  io.err(missing ? `compile: ${missing}\n` : output);
  return missing ? EX.UNAVAILABLE : EX.SOFTWARE;
}

/** What to do when Deno has no runtime to put the program into; undefined when something else is wrong. */
function missingRuntime(output: string): string | undefined {
  if (!/Setting up base binary|Could not find denort/.test(output)) return undefined;
  const archive = `denort-${Deno.build.target}.zip`;
  const release = join("release", `v${Deno.version.deno}`, archive);
  const [why = ""] = /(?<=: )(?:dns error|tcp connect error|[^:]*\bdenort\b)[^\n]*/.exec(output) ??
    [];
  return `Deno puts programs into a runtime of its own, ${archive}, and cannot get it${
    why && ` (${why})`
  }. ` +
    `Try again where https://dl.deno.land/${release} can be reached; ` +
    `or fetch it there and put it into $DENO_DIR/dl/${release}, or its denort anywhere with DENORT_BIN=/path/to/denort`;
}
