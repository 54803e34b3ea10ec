import { assert, assertEquals } from "@std/assert";
import { V8_FLAGS } from "../../policies/deno_flags.ts";
import { Garbage } from "./garbage.ts";

const MB = 1024 * 1024;

Deno.test("look() collects what has come together, and counts from what is left", () => {
  let used = 10 * MB, collected = 0;
  const garbage = new Garbage(() => used, () => {
    collected++;
    used = 20 * MB;
  });
  const after = (bytes: number) => {
    used = bytes;
    garbage.look();
    return collected;
  };
  assertEquals([after(25 * MB), after(27 * MB), after(35 * MB), after(37 * MB)], [0, 1, 1, 2]);
});

Deno.test("look() collects under a role's flags, by a gc() that writes no snapshot for anybody", async () => {
  const cwd = await Deno.makeTempDir();
  const code = `
    import { runInNewContext } from "node:vm";
    import { Garbage } from "${import.meta.resolve("./garbage.ts")}";
    const usedMb = () => { const { heapUsed, external } = Deno.memoryUsage(); return Math.round((heapUsed + external) / ${MB}); };
    const garbage = new Garbage();
    let kept = [];
    for (let i = 0; i < 600_000; i++) kept.push({ i, text: "garbage " + i });
    const bytes = Array.from({ length: 100 }, () => new Uint8Array(65_536));
    const held = usedMb();
    kept = bytes.length = 0;
    garbage.look();
    runInNewContext("gc")({ type: "major-snapshot", filename: "snapshot" });
    console.log(JSON.stringify([held, usedMb()]));
  `;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", V8_FLAGS, code],
    env: { NO_COLOR: "1" },
    cwd,
  }).output();
  const decoder = new TextDecoder();
  const [held, left] = JSON.parse(decoder.decode(stdout) || "[]");
  assertEquals([...Deno.readDirSync(cwd)], []);
  await Deno.remove(cwd);
  assert(held > 40 && left < 20, `${held} MB, then ${left} ${decoder.decode(stderr)}`);
});
