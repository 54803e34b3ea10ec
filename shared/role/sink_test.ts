/** Log lines on their way to postlogd, in a process of its own: where lines go is said once for all of a process. */

import { assertEquals } from "@std/assert";
import { Stage } from "../../tests/support/ipc.ts";
import { until } from "../../tests/support/waiting.ts";
import { roleLogService } from "../protocols/log.ts";

/** Says a line, moves the log from the first socket to the second, and says another. */
const MOVES = `
  import { installSink } from "${import.meta.resolve("./sink.ts")}";
  import { info } from "${import.meta.resolve("../log/log.ts")}";
  const origin = { process: "postern/test", pid: 1, hostname: "h", json: false };
  const [former, next] = Deno.args;
  installSink({ ...origin, log: { test: former } });
  info("said before");
  installSink({ ...origin, log: { test: next } });
  info("said after");
`;

Deno.test("what is said just before the log moves is written once, where it was then", async () => {
  await using former = new Stage();
  await using next = new Stage();
  const written: string[][] = [[], []];
  for (const [n, stage] of [former, next].entries()) {
    await stage.answer(roleLogService("log"), {
      write: ({ lines, pid, severities }) => {
        written[n]!.push(...lines.map((line) => `${pid} ${severities} ${line}`));
        return Promise.resolve({});
      },
    });
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "-", former.path, next.path],
    cwd: new URL("../..", import.meta.url),
    stdin: "piped",
    stderr: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(MOVES));
  await input.close();
  const said = new Response(child.stderr).text();
  try {
    await until(() => written.every(({ length }) => length > 0));
    // The former connection is closed in the end.
    await until(() => former.accepted.size === 0);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
  assertEquals([written, await said], [[["1 i said before"], ["1 i said after"]], ""]);
});
