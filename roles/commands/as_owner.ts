/**
 * Root among another user's files: whoever owns a directory may put a link there to any file of the host, between any two
 * calls of ours. So root does nothing there but as that owner, who can lead himself nowhere that he may not go anyway.
 */

import process from "node:process";
import { dirname } from "@std/path";
import { libc } from "../supervisor/libc.ts";

/** Instead of root's own group, for a directory that has that. */
const NO_GROUP = 65534;

/** Does `work`, which must not wait, as the owner of `directory`; whoever is not root does it as what he is. */
export function asOwner<T>(directory: string, work: () => T): T {
  const owner = ownerOf(directory);
  if (!owner) return work();
  leaveGroups();
  try {
    process.setegid!(owner.gid);
    process.seteuid!(owner.uid);
    return work();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}

/** The same for good: from here on this process has no more rights than that owner. */
export function becomeOwner(directory: string): void {
  const owner = ownerOf(directory);
  if (!owner) return;
  leaveGroups();
  process.setgid!(owner.gid);
  process.setuid!(owner.uid);
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whom root has to beware of in a directory; undefined for nobody, and for who is not root (any more). */
function ownerOf(directory: string): Owner | undefined {
  if (process.geteuid!() !== 0) return undefined;
  // Of a link there, its maker; of a directory of root's, whoever may put another in its place.
  for (const path of [directory, dirname(directory)]) {
    for (const look of [Deno.lstatSync, Deno.statSync]) {
      const { uid, gid } = found(look, path) ?? {};
      if (uid) return { uid, gid: gid || NO_GROUP };
    }
  }
  return undefined;
}

function found(look: typeof Deno.lstatSync, path: string): Deno.FileInfo | undefined {
  try {
    return look(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Root needs none of root's: none is taken again. */
function leaveGroups(): void {
  if (libc().setgroups(0n, null) !== 0) throw new Error("setgroups: not permitted");
}
