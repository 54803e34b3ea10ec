/**
 * What root gives away it has opened and looked at: it changes owner and mode by descriptor, never by name, because whoever
 * may write the directory can put a link to any file of the host in a name's place at any time.
 */

import { closeSync, constants, fstatSync, lstatSync, openSync, type Stats } from "node:fs";
import { userName } from "./host.ts";

/** What a name must stand for. */
export type Kind = "directory" | "file";

const KIND_NAMES: Readonly<Record<Kind, string>> = {
  directory: "directory",
  file: "regular file",
};
/** Never follows a link, and does not wait for a pipe that came into its place. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Why what a name stands for is not ours to change, and what to do about it; undefined when it may be changed, or is not
 * there. It must belong to one of `owners`, by rights to the first of them.
 */
export function unfit(path: string, kind: Kind, owners: readonly number[]): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found && unfitness(path, found, kind, owners);
}

/** Opens what is there and hands on its descriptor; throws when that is not fit, or becomes something else meanwhile. */
export function withOpened(
  path: string,
  kind: Kind,
  owners: readonly number[],
  use: (descriptor: number, found: Stats) => void,
): void {
  const seen = lstatSync(path);
  refuse(unfitness(path, seen, kind, owners));
  const descriptor = openSync(path, FLAGS);
  try {
    const found = fstatSync(descriptor);
    // The flags alone are not enough: where it holds partial permissions, the runtime follows links by itself.
    if (!isSame(found, seen)) throw new Error(`${path} became something else meanwhile: try again`);
    refuse(unfitness(path, found, kind, owners));
    use(descriptor, found);
  } finally {
    closeSync(descriptor);
  }
}

/** Whether two looks were at one file. */
export function isSame(
  one: { readonly dev: number; readonly ino: number | null },
  other: { readonly dev: number; readonly ino: number | null },
): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** Whether anybody but root may put names into a directory. */
export function othersMayChange(
  { uid, mode }: { uid: number | null; mode: number | null },
): boolean {
  return uid !== 0 || (mode! & 0o022) !== 0;
}

/** A file's mode as chmod takes it: `0755`. */
export function modeText(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

function refuse(why: string | undefined): void {
  if (why) throw new Error(why);
}

function unfitness(
  path: string,
  found: Stats,
  kind: Kind,
  owners: readonly number[],
): string | undefined {
  const whose = userName(found.uid), name = KIND_NAMES[kind];
  if (found.isSymbolicLink()) {
    return `${path} is a symbolic link of ${whose}: put a ${name} in its place`;
  }
  if (!(kind === "directory" ? found.isDirectory() : found.isFile())) {
    return `${path} of ${whose} is not a ${name}: move it away`;
  }
  if (kind === "file" && found.nlink !== 1) {
    return `${path} of ${whose} has ${found.nlink} links: put a copy in its place`;
  }
  if (owners.includes(found.uid)) return undefined;
  const right = userName(owners[0]!);
  return `${path} belongs to ${whose}, not to ${right}: look at what it holds, then chown ${right} ${path}`;
}
