/**
 * One writer for a queue: two qmgrs would deliver everything twice, and the second to open the store sweeps away what the
 * first is receiving. The kernel frees the lock of a process that dies.
 */

import { closeSync, fchownSync, fstatSync, openSync } from "node:fs";
import { join } from "@std/path";
import { ConfigError } from "../errors.ts";
import { sleep } from "../timer.ts";

/** A former qmgr whose supervisor was killed may need so long to notice, and postsuper to do what it was asked. */
const PATIENCE_MS = 5000;
const RETRY_MS = 50;

/** Held until it is disposed of or the process ends. */
export type QueueLock = Disposable;

/** What is locked. */
export function lockFile(directory: string): string {
  return join(directory, "qmgr.lock");
}

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
    await sleep(RETRY_MS);
  }
}

/** The same without waiting: undefined when somebody else keeps the queue. */
export function tryLockQueue(directory: string): QueueLock | undefined {
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = lockFile(directory);
  makeFile(path, directory);
  const file = Deno.openSync(path, { write: true });
  if (file.tryLockSync(true)) return file;
  file.close();
  return undefined;
}

/**
 * Makes the file where there is none. Made by root, it must be the owner's all the same: his qmgr has to open it. Only a new
 * file is given away, because the owner may have put a link to any other in its place.
 */
function makeFile(path: string, directory: string): void {
  let file: number;
  try {
    file = openSync(path, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    throw error;
  }
  try {
    const { uid, gid } = Deno.statSync(directory);
    if (fstatSync(file).uid !== uid) fchownSync(file, uid!, gid!);
  } finally {
    closeSync(file);
  }
}
