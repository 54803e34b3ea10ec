/** The whole system as one program. Where Deno's runtime for programs cannot be had, all is tried up to that. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { policies } from "../../policies/mod.ts";
import { postern, root, System } from "../support/system.ts";

const directory = await Deno.makeTempDir({ prefix: "postern-compile-" });
globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
/** Where the download neither works nor fails, waiting longer does not help. */
const DOWNLOAD_MS = 90_000;
const READY_MS = 30_000;

/** How deno.json's task compiles, with another place for the program. */
async function compile(output: string, env: Record<string, string> = {}) {
  const tasks = JSON.parse(await Deno.readTextFile(join(root, "deno.json"))).tasks;
  const flags = tasks.compile.command.split(" main.ts compile ")[1].split(" ");
  flags[flags.indexOf("--output") + 1] = output;
  const signal = AbortSignal.timeout(DOWNLOAD_MS);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...postern, "compile", ...flags],
    cwd: root,
    env,
    signal,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(stderr).trim();
  return { code, said: signal.aborted ? "the download takes too long" : said };
}

Deno.test("compile says in one message that the runtime is missing, and what to do", async () => {
  const { code, said } = await compile(join(directory, "nothing"), {
    DENORT_BIN: "/nowhere/denort",
  });
  assertEquals(code, 69, said);
  assertEquals(said.split("\n").length, 1, said);
  assertStringIncludes(said, "compile: Deno puts programs into a runtime of its own");
  assertStringIncludes(said, `v${Deno.version.deno}`);
  assertStringIncludes(said, "DENORT_BIN=");
});

Deno.test("compile puts every role and the shipped configuration into the program", async () => {
  // Deno itself in the place of the runtime: the result cannot run, but what is inside can be looked at.
  const program = join(directory, "packed");
  const { code, said } = await compile(program, { DENORT_BIN: Deno.execPath() });
  assertEquals(code, 0, said);
  const bytes = (await Deno.readFile(program)).subarray((await Deno.stat(Deno.execPath())).size);
  const text = new TextDecoder("latin1").decode(bytes);
  for (const { role } of policies) assertStringIncludes(text, `\n * ${role} - `);
  for (const file of ["config/main.cf", "config/master.cf", "shared/role/confine.ts"]) {
    const lines = (await Deno.readTextFile(join(root, file))).split("\n");
    assert(text.includes(lines.find((line) => line.length > 40)!), file);
  }
});

const program = join(directory, "postern");
const { code, said } = await compile(program);
const skipped = code === 0 ? "" : ` (skipped: ${said})`;

/** What a program prints until it ends, or until it says that the system is ready. */
async function until(child: Deno.ChildProcess, line: string): Promise<string> {
  let output = "";
  const timer = setTimeout(() => child.kill("SIGKILL"), READY_MS);
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    if (output.includes(line)) break;
  }
  clearTimeout(timer);
  return output;
}

Deno.test({
  name: `the compiled program serves mail, and is mailq where it is called so${skipped}`,
  ignore: code !== 0,
  fn: async () => {
    await using system = await System.prepare();
    const child = new Deno.Command(program, {
      args: ["serve", "-c", system.configuration],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    try {
      assertStringIncludes(await until(child, "stop:"), "a worker with Deno permissions");
      await system.send("u1@box.test");
      await system.until(() => system.maildir("u1").length === 1);
      await Deno.symlink(program, join(directory, "mailq"));
      const mailq = await new Deno.Command(join(directory, "mailq"), {
        env: { MAIL_CONFIG: system.configuration },
      }).output();
      assertEquals(new TextDecoder().decode(mailq.stdout), "Mail queue is empty\n");
    } finally {
      child.kill("SIGTERM");
      assertEquals((await child.status).code, 0);
    }
  },
});
