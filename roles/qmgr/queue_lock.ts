/** One qmgr for a queue: two would deliver everything twice. The kernel frees the lock of a process that dies. */

import { join } from "@std/path";
import { ConfigError } from "../../shared/errors.ts";

/** A former qmgr whose supervisor was killed may need so long to notice. */
const PATIENCE_MS = 5000;
const RETRY_MS = 50;

/** Held until the process ends. */
let held: Deno.FsFile | undefined;

/** Takes the queue in `directory` for this process; throws ConfigError when another qmgr keeps it. */
export async function lockQueue(directory: string, patienceMs = PATIENCE_MS): Promise<void> {
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = Deno.openSync(join(directory, "qmgr.lock"), {
    write: true,
    create: true,
    mode: 0o600,
  });
  for (const end = performance.now() + patienceMs; !file.tryLockSync(true);) {
    if (performance.now() > end) {
      file.close();
      throw new ConfigError(
        `queue_directory: another qmgr keeps ${directory}: stop that mail system first`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  held = file;
}

/** Gives the queue up; for tests, because a process that ends need not. */
export function unlockQueue(): void {
  held?.close();
  held = undefined;
}
