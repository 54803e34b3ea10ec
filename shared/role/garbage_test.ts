import { assert, assertEquals } from "@std/assert";
import { V8_FLAGS } from "../../policies/deno_flags.ts";
import { Garbage } from "./garbage.ts";

const MB = 1024 * 1024;

Deno.test("look() collects what has come together, and counts from what is left", async () => {
  let used = 10 * MB, collected = 0, now = 0;
  const collect = () => {
    collected++;
    used = 20 * MB;
  };
  const garbage = new Garbage(() => used, collect, () => now);
  const after = async (seconds: number, bytes: number) => {
    now += seconds * 1000;
    used = bytes;
    await garbage.look();
    return collected;
  };
  assertEquals([await after(60, 25 * MB), await after(1, 27 * MB)], [0, 1]);
  // Not so soon again, however much there is.
  assertEquals([await after(59, 90 * MB), await after(1, 35 * MB), await after(1, 37 * MB)], [
    1,
    1,
    2,
  ]);
});

Deno.test("look() collects under a role's flags, by a gc() that writes no snapshot for anybody", async () => {
  const cwd = await Deno.makeTempDir();
  const code = `
    import { runInNewContext } from "node:vm";
    import { Garbage } from "${import.meta.resolve("./garbage.ts")}";
    const usedMb = () => { const { heapUsed, external } = Deno.memoryUsage(); return Math.round((heapUsed + external) / ${MB}); };
    let now = 0;
    const garbage = new Garbage(undefined, undefined, () => now);
    let kept = [];
    for (let i = 0; i < 600_000; i++) kept.push({ i, text: "garbage " + i });
    const bytes = Array.from({ length: 100 }, () => new Uint8Array(65_536));
    const held = usedMb();
    kept = bytes.length = 0;
    now = 60_000;
    await garbage.look();
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
