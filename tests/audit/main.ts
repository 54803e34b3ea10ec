/**
 * The `test:audit` task: runs the delivery tests with each role's permission requests noted, and compares them with the
 * policy table. Every right is used, or kept for a reason that is written down; nothing else is asked for.
 */

import { join } from "@std/path";
import { audit, auditDirectory } from "./audit.ts";

const directory = auditDirectory();
try {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-prompt", "--no-check", "tests/delivery"],
    cwd: join(import.meta.dirname!, "..", ".."),
    env: { POSTERN_AUDIT_DIR: directory },
  }).spawn().status;
  const { ok, text } = audit(directory);
  console.log(`\n${text}`);
  Deno.exitCode = success && ok ? 0 : 1;
} finally {
  await Deno.remove(directory, { recursive: true });
}
