import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { namesIn } from "../../tests/support/files.ts";

const source = join(import.meta.dirname!, "..", "..");
const main = join(source, "main.ts");

Deno.test("role pickup --stub leaves nothing behind when nobody reads on", async () => {
  const io = fakeIo("sandbox = deno\n");
  const temporary = `${io.configDirectory}/tmp`;
  Deno.mkdirSync(temporary);
  Deno.copyFileSync(join(source, "config", "master.cf"), `${io.configDirectory}/master.cf`);
  Deno.chmodSync(io.configDirectory!, 0o755);
  const words = ["run", "--quiet", "-A", main, "-c", io.configDirectory!, "role", "pickup"];
  try {
    await new Deno.Command("sh", {
      args: ["-c", `timeout -s KILL 20 "$@" --stub | head -3`, "sh", Deno.execPath(), ...words],
      env: { TMPDIR: temporary },
      stdin: "null",
      stdout: "null",
      stderr: "null",
      signal: AbortSignal.timeout(60_000),
    }).output();
    assertEquals(namesIn(temporary), []);
  } finally {
    io.remove();
  }
});
