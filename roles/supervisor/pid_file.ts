/** The pid file, which also is the lock that lets one supervisor run on a queue. */

import { dirname } from "@std/path";
import { ConfigError, reason } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import { isSame, unfit } from "./by_descriptor.ts";

/** What every second supervisor says. */
export function alreadyRunning(queue: string): ConfigError {
  return new ConfigError(`the Postern mail system is already running on ${queue}`);
}

/** What removes the pid file, which is locked as long as we run. Throws ConfigError, also when another system has the lock. */
export function takePidFile(queue: string, path: string, root: boolean): () => void {
  try {
    Deno.mkdirSync(dirname(path), { recursive: true, mode: root ? 0o755 : 0o700 });
    const why = unfit(path, "file", [Deno.uid()!]);
    if (why) throw new Error(why);
    // Of this user alone: whoever can open it could hold the lock.
    const file = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
    if (!file.tryLockSync(true) || !isAt(path, file)) {
      file.close();
      throw alreadyRunning(queue);
    }
    note(file, path);
    return () => {
      if (isAt(path, file)) Deno.removeSync(path);
      file.close();
    };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`process_id_directory: cannot write ${path}: ${reason(error)}`);
  }
}

/** A full disk is no reason not to start: the lock is what counts, and the queue can drain. */
function note(file: Deno.FsFile, path: string): void {
  try {
    file.truncateSync();
    file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
  } catch (error) {
    warning(`${path}: the process id is not in it: ${reason(error)}`);
  }
}

/** False when somebody removed the file, or put another, or a link, in its place. */
function isAt(path: string, file: Deno.FsFile): boolean {
  try {
    return isSame(Deno.lstatSync(path), file.statSync());
  } catch {
    return false;
  }
}
