/** Roles work in batches, all threads of them, also those that are started again. */

import { assertEquals } from "@std/assert";
import { System } from "../support/system.ts";

/** Fields of /proc/PID/stat after the name; the scheduling policy is the 41st of all (proc(5)). */
const POLICY = 41 - 3, SCHED_BATCH = "3";

function policies(pid: number): string[] {
  const tasks = `/proc/${pid}/task`;
  return [...Deno.readDirSync(tasks)].map(({ name }) => {
    const stat = Deno.readTextFileSync(`${tasks}/${name}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[POLICY]!;
  });
}

Deno.test("every thread of a role works in batches", async () => {
  await using system = await System.start();
  const [former] = system.processes("cleanup");
  system.kill("cleanup");
  await system.until(() => system.processes("cleanup").some((pid) => pid !== former));
  for (const role of ["smtpd", "cleanup", "qmgr", "rewrite"]) {
    const [pid] = system.processes(role);
    // It may have begun just now.
    await system.until(() => policies(pid!).length > 1);
    assertEquals(new Set(policies(pid!)), new Set([SCHED_BATCH]), role);
  }
});
