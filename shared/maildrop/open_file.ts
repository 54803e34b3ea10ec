/** Opening a file of the maildrop, where every name may be a trap: link, pipe, device, or something else by now. */

import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import { join } from "@std/path";
import { reason, StorageError } from "../errors.ts";
import { NotASubmission, type ReadAt } from "./file_format.ts";

/** What tells whether a file is still the one that was looked at. */
export interface Identity {
  readonly uid: number;
  readonly inode: number;
  /** Milliseconds. Unlike the time of modification, no user can set it back. */
  readonly changed: number;
}

/** A file as its name shows it, without opening it. */
export interface Seen extends Identity {
  /** Why it cannot be a submission; undefined when it can. */
  readonly trap: string | undefined;
  /** Milliseconds since the epoch. */
  readonly modified: number;
  /** Bytes. */
  readonly size: number;
}

/** Looks at a name without following it; undefined when there is nothing any more. */
export function see(directory: string, name: string): Seen | undefined {
  const stat = lstatSync(join(directory, name), { throwIfNoEntry: false });
  if (!stat) return undefined;
  const trap = stat.isSymbolicLink()
    ? "is a symbolic link"
    : stat.isDirectory()
    ? "is a directory"
    : stat.isFIFO()
    ? "is a pipe"
    : !stat.isFile()
    ? "is not a regular file"
    : stat.nlink !== 1
    ? `has ${stat.nlink} links`
    : undefined;
  return {
    uid: stat.uid,
    inode: stat.ino,
    changed: stat.ctimeMs,
    modified: stat.mtimeMs,
    size: stat.size,
    trap,
  };
}

/** An open file of the maildrop. */
export interface OpenFile {
  readonly size: number;
  readonly read: ReadAt;
  close(): void;
}

/** Whoever looks may not have this file. It may still be somebody's mail: it is never removed. */
export class Unreadable extends NotASubmission {
  override name = "Unreadable";
}

/** What opening says of a file that is not for us; anything else (no memory, a bad disk) is trouble of our own. */
const REFUSALS: ReadonlySet<string> = new Set(["EACCES", "EPERM", "ELOOP", "ENXIO", "ENOENT"]);

/** Opens what was seen, and nothing else; throws NotASubmission, or StorageError when it cannot be said now. */
export function openSeen(directory: string, name: string, seen: Seen): OpenFile {
  if (seen.trap) throw new Unreadable(seen.trap);
  // O_NONBLOCK: if it became a pipe meanwhile, opening must not wait. O_NOFOLLOW alone is not enough: the runtime follows
  // links itself where it holds partial permissions, so what was opened is compared with what was seen.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  let fd: number;
  try {
    fd = openSync(join(directory, name), flags);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw new Unreadable("is outside the maildrop");
    const code = (error as { code?: string }).code ?? "";
    if (REFUSALS.has(code)) throw new Unreadable(`cannot be read (${code})`);
    throw new StorageError(`maildrop/${name}: ${reason(error)}`);
  }
  const stat = fstatSync(fd);
  if (!stat.isFile() || stat.ino !== seen.inode || stat.uid !== seen.uid || stat.nlink !== 1) {
    closeSync(fd);
    throw new Unreadable("is not what it was a moment ago");
  }
  return {
    size: stat.size,
    read: (buffer, position) => readSync(fd, buffer, 0, buffer.length, position),
    close: () => closeSync(fd),
  };
}

/** Takes a name away; what a link points to stays. True when it is gone. */
export function remove(directory: string, name: string): boolean {
  try {
    Deno.removeSync(join(directory, name));
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
