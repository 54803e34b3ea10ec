/**
 * Whose the queue is. Root keeps to itself where the sockets are, and mail_owner, as whom qmgr runs, has the rest; of any
 * other user's queue all is his. Who starts on another's could only lock both out of it.
 */

import { lstatSync } from "node:fs";
import { isThere } from "../../policies/bwrap.ts";
import type { Host } from "../../policies/grant.ts";
import {
  databaseDirectory,
  databaseFiles,
  maildropDirectory,
  syslogDirectory,
} from "../../shared/layout.ts";
import { lockFile } from "../../shared/queue/queue_lock.ts";
import { contentDirectory } from "../../shared/queue/sqlite_schema.ts";
import { modeText, othersMayChange, unfit } from "./by_descriptor.ts";
import { changeableLink } from "./changeable_link.ts";
import { userName } from "./host.ts";

/** Something in the queue that would have to belong to one of `owners`, by rights to the first. */
interface Part {
  readonly path: string;
  readonly owners: readonly number[];
}

/** Directories that every queue of Postfix has, and none of ours. */
const POSTFIXS = ["incoming", "active", "deferred"];

/** Why the system must not or cannot start on a queue, and what to do; undefined also where there is none yet. */
export function queueProblem(queue: string, host: Host): string | undefined {
  const link = host.root ? changeableLink(queue) : undefined;
  if (link || !isThere(queue)) return link;
  if (POSTFIXS.every((name) => isThere(`${queue}/${name}`))) {
    return `${queue} is the queue of a Postfix: set queue_directory to a place of its own`;
  }
  const ours = Deno.uid()!, user = host.mailOwner?.uid ?? ours;
  const top = { path: Deno.realPathSync(queue), owners: [ours] };
  const sockets = [`${queue}/private`, `${queue}/public`].map((path) => ({ path, owners: [ours] }));
  // A directory of root's is given to its user, which what is in it is not.
  const inner = innerOf(queue).map((path) => ({ path, owners: [user, ours] }));
  const files = filesOf(queue).map((path) => ({ path, owners: [user] }));
  const foreign = [top, ...(host.root ? [] : sockets), ...inner, ...files].find(isForeign);
  if (foreign) return foreignText(queue, foreign, host);
  return [top, ...sockets, ...inner].map(({ path, owners }) => unfit(path, "directory", owners))
    .concat(host.root ? [top, ...sockets].map(({ path }) => writableText(path)) : [])
    .find(Boolean);
}

/** Why a directory in which root makes and removes things is not root's alone. */
export function rootsAlone(path: string): string | undefined {
  const link = changeableLink(path);
  if (link || !isThere(path)) return link;
  const real = Deno.realPathSync(path);
  return unfit(real, "directory", [0]) ?? writableText(real);
}

function writableText(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found || !othersMayChange(found)) return undefined;
  return `others may write to ${path}, whose mode is ${
    modeText(found.mode)
  }: look at what it holds, then chmod go-w ${path}`;
}

function innerOf(queue: string): string[] {
  return [databaseDirectory(queue), maildropDirectory(queue), syslogDirectory(queue)];
}

/** What qmgr cannot do without. */
function filesOf(queue: string): string[] {
  const directory = databaseDirectory(queue);
  return [...databaseFiles(directory), lockFile(directory), contentDirectory(directory)];
}

/** Of a link, unfit() tells. */
function isForeign({ path, owners }: Part): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found !== undefined && !found.isSymbolicLink() && !owners.includes(found.uid);
}

function foreignText(queue: string, { path, owners }: Part, host: Host): string {
  const { uid } = lstatSync(path), whose = userName(uid), right = userName(owners[0]!);
  const ways = host.root ? waysOfRoot(queue, uid, host) : waysOfUser(queue, right);
  return `${path} belongs to ${whose}, not to ${right}: ${ways.join(", or ")}`;
}

function waysOfRoot(queue: string, uid: number, { mailOwner }: Host): string[] {
  const inner = innerOf(queue).filter(isThere).join(" ");
  const give = inner ? [`chown -R ${mailOwner!.name} ${inner}`] : [];
  const starter = Deno.statSync(queue).uid!;
  if (starter !== 0) {
    return [`start as ${userName(starter)}`, [`chown -R root ${queue}`, ...give].join(" && ")];
  }
  return [...(uid === 0 ? [] : [`set mail_owner = ${userName(uid)}`]), ...give];
}

function waysOfUser(queue: string, user: string): string[] {
  const starter = userName(Deno.statSync(queue).uid!);
  const give = `have root chown -R ${user} ${queue}`;
  return starter === user ? [give] : [`start as ${starter}`, give];
}
