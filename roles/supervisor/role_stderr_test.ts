import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { near } from "../../tests/support/hostile.ts";
import { until } from "../../tests/support/waiting.ts";
import { setSink } from "../../shared/log/log.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { logLines } from "./role_stderr.ts";

const logged: string[] = [];
setSink((severity, text) => void logged.push(`${severity}: ${text}`));

/** A role's standard error; what it wrote is in `logged`. */
function stderr(): PassThrough {
  logged.length = 0;
  const stream = new PassThrough();
  logLines(stream, "process cleanup pid 7");
  return stream;
}

const SAID = "warning: process cleanup pid 7 on standard error: ";

Deno.test("logLines() logs the lines of any text, however they come, and the last one without its end", async () => {
  const text = near("\n", "\r\n", "\x1b[2J", "one", "two\n", "\u20ac").map((each) =>
    each.slice(0, 500)
  );
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat(2000)), async (text, cuts) => {
      const stream = stderr(), bytes = new TextEncoder().encode(text);
      let at = 0;
      for (const end of [...cuts.sort((a, b) => a - b), bytes.length]) {
        if (end > at) stream.write(bytes.slice(at, end));
        at = Math.max(at, end);
        await Promise.resolve();
      }
      stream.end();
      await until(() => stream.readableEnded);
      const lines = text.toWellFormed().split("\n").filter((line) => line);
      assertEquals(logged, lines.map((line) => SAID + withoutControls(line)));
    }),
  );
});

Deno.test("logLines() leaves nothing that a terminal would obey, and no more than so much of a line", async () => {
  const stream = stderr();
  stream.write("\x1b[2J\x07gone\r\n");
  stream.write(Buffer.from([0xff, 0x0a]));
  stream.end(`${"x".repeat(100_000)}\nnext\n`);
  await until(() => logged.length === 4);
  assertEquals(logged.slice(0, 2), [`${SAID}?[2J?gone?`, `${SAID}?`]);
  assertEquals(logged[2]!.length < 2100, true);
  assertEquals(logged[3], `${SAID}next`);
});

Deno.test("logLines() stops reading after each piece, for as long as its lines are worth, and loses none", async () => {
  const stream = stderr(), paused: boolean[] = [];
  stream.on("data", () => paused.push(stream.isPaused()));
  for (let n = 0; n < 3; n++) stream.write("line\n".repeat(100));
  stream.end();
  await until(() => stream.readableEnded);
  assertEquals(logged.length, 300);
  assertEquals(new Set(paused), new Set([true]));
});
