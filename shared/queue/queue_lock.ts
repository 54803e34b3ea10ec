/**
 * One writer for a queue: two qmgrs would deliver everything twice, and the second to open the store sweeps away what the
 * first is receiving. The kernel frees the lock of a process that dies.
 */

import { join } from "@std/path";
import { ConfigError } from "../errors.ts";

/** A former qmgr whose supervisor was killed may need so long to notice, and postsuper to do what it was asked. */
const PATIENCE_MS = 5000;
const RETRY_MS = 50;

/** Held until it is disposed of or the process ends. */
export type QueueLock = Disposable;

/** Takes the queue in `directory` for this process; throws ConfigError when it has been another's for so long. */
export async function lockQueue(directory: string, patienceMs = PATIENCE_MS): Promise<QueueLock> {
  for (const end = performance.now() + patienceMs;;) {
    const lock = tryLockQueue(directory);
    if (lock) return lock;
    if (performance.now() > end) {
      throw new ConfigError(
        `queue_directory: another qmgr, or postsuper, keeps ${directory}: stop that mail system first`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** The same without waiting: undefined when somebody else keeps the queue. */
export function tryLockQueue(directory: string): QueueLock | undefined {
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, "qmgr.lock");
  const file = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
  // Made by root, it must be the owner's all the same: his qmgr has to open it.
  const { uid, gid } = Deno.statSync(directory);
  if (file.statSync().uid !== uid) Deno.chownSync(path, uid, gid);
  if (file.tryLockSync(true)) return file;
  file.close();
  return undefined;
}
