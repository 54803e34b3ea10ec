/**
 * A copy of the runtime where any user can reach it, for as long as the system runs. Whoever uses one holds a lock on it,
 * which the kernel frees with the process: what a killed supervisor left, the next one removes.
 */

import { dirname, join } from "@std/path";
import type { Runtime } from "../../policies/bwrap.ts";
import { reason } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";

/** The runtime in its place, from where its disposal removes it. */
export interface Stage extends Disposable {
  readonly runtime: Runtime;
}

const PREFIX = "postern-runtime-";
const LOCK = "lock";
/** Whoever may write a directory, beside its owner. */
const OTHERS_WRITE = 0o022;
/** In such a directory only its owner may move a file. */
const STICKY = 0o1000;

/** Copies the parts that roles need into a new directory of `parent`. */
export function stageRuntime(runtime: Runtime, parent = temporaryDirectory()): Stage {
  const stage = Deno.makeTempDirSync({ dir: parent, prefix: PREFIX });
  const lock = Deno.openSync(join(stage, `${LOCK}.new`), {
    write: true,
    createNew: true,
    mode: 0o600,
  });
  const dispose = () => {
    Deno.removeSync(stage, { recursive: true });
    lock.close();
  };
  try {
    lock.lockSync(true);
    // Under its name nobody ever finds it free while we live.
    Deno.renameSync(join(stage, `${LOCK}.new`), join(stage, LOCK));
    Deno.chmodSync(stage, 0o755);
    return { runtime: copyInto(stage, runtime), [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Removes the copies in `parent` that are our user's and that nobody uses any more. */
export function removeLeftStages(parent = temporaryDirectory()): void {
  const { uid, mode } = Deno.statSync(parent);
  // Somebody else could put another directory in the place of one that we have looked at.
  if ((uid !== 0 && uid !== Deno.uid()) || ((mode! & OTHERS_WRITE) && !(mode! & STICKY))) return;
  for (const { name } of Deno.readDirSync(parent)) {
    if (name.startsWith(PREFIX)) removeIfLeft(join(parent, name));
  }
}

function removeIfLeft(stage: string): void {
  try {
    const { isDirectory, uid, mode } = Deno.lstatSync(stage);
    if (!isDirectory || uid !== Deno.uid() || (mode! & OTHERS_WRITE)) return;
    using lock = Deno.openSync(join(stage, LOCK), { write: true });
    if (lock.tryLockSync(true)) Deno.removeSync(stage, { recursive: true });
  } catch (error) {
    // Another one was faster, or is only making it.
    if (error instanceof Deno.errors.NotFound) return;
    warning(`cannot remove ${stage}, which a former start has left: ${reason(error)}`);
  }
}

function temporaryDirectory(): string {
  return Deno.env.get("TMPDIR") || "/tmp";
}

function copyInto(stage: string, runtime: Runtime): Runtime {
  const staged = {
    ...runtime,
    deno: join(stage, "bin", "deno"),
    cache: join(stage, "cache"),
    source: join(stage, "source"),
  };
  makeDirectory(dirname(staged.deno));
  copyTree(runtime.deno, staged.deno);
  // A compiled program has everything else inside.
  if (runtime.standalone) return staged;
  for (const place of [staged.cache, staged.source]) makeDirectory(place);
  copyTree(join(runtime.cache, "npm"), join(staged.cache, "npm"));
  for (const part of ["deno.json", "deno.lock", "shared", "roles"]) {
    copyTree(join(runtime.source, part), join(staged.source, part));
  }
  return staged;
}

/** What no role loads: a copy is half as long without it. */
const NOT_LOADED = /\.d\.[cm]?ts$|\.map$|_test\.ts$/;

function copyTree(from: string, to: string): void {
  const { isDirectory, mode } = Deno.statSync(from);
  if (!isDirectory) {
    Deno.copyFileSync(from, to);
    return Deno.chmodSync(to, (mode! & 0o111) ? 0o755 : 0o644);
  }
  makeDirectory(to);
  for (const { name } of Deno.readDirSync(from)) {
    if (!NOT_LOADED.test(name)) copyTree(join(from, name), join(to, name));
  }
}

/** For any user to pass, whatever the umask. */
function makeDirectory(path: string): void {
  Deno.mkdirSync(path);
  Deno.chmodSync(path, 0o755);
}
