/** The places that a configuration names, looked at before anything in them is made or changed: why root must not use them. */

import { lstatSync, readlinkSync, statSync } from "node:fs";
import { dirname, join, resolve } from "@std/path";
import type { Host } from "../../policies/grant.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { reason } from "../../shared/errors.ts";
import { pidFile } from "../../shared/layout.ts";
import { othersMayChange, unfit } from "./by_descriptor.ts";
import { logOwners, STDOUT } from "./directories.ts";
import { userName } from "./host.ts";

/** A parameter that names a place which cannot be used, and why. */
export interface PlaceProblem {
  readonly parameter: string;
  readonly text: string;
}

/** What is wrong with the places of a configuration; nothing is changed. */
export function placeProblems(configuration: Configuration, host: Host): PlaceProblem[] {
  const queue = configuration.value("queue_directory");
  const pids = dirname(pidFile(queue, configuration.value("process_id_directory")));
  const log = configuration.value("maillog_file");
  const looks: readonly [string, () => string | undefined][] = [
    ["queue_directory", () => queueProblem(queue, host)],
    ["process_id_directory", () => rootsAlone(pids, host)],
    ["maillog_file", () => log && log !== STDOUT ? logProblem(log, host) : undefined],
  ];
  return looks.flatMap(([parameter, look]) => {
    const text = said(look);
    return text ? [{ parameter, text }] : [];
  });
}

/** Somewhere on the way there may be no directory, or none that we may enter; where Deno lets nobody, nothing is made. */
function said(look: () => string | undefined): string | undefined {
  try {
    return look();
  } catch (error) {
    return error instanceof Deno.errors.NotCapable ? undefined : reason(error);
  }
}

function queueProblem(queue: string, host: Host): string | undefined {
  return rootsAlone(queue, host) ??
    ["private", "public"].map((name) => rootsAlone(join(queue, name), host)).find(Boolean);
}

/** Why a directory in which root makes and removes things is not root's alone. */
function rootsAlone(path: string, { root }: Host): string | undefined {
  if (!root) return undefined;
  const link = changeableLink(path);
  if (link) return link;
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return undefined;
  const why = unfit(Deno.realPathSync(path), "directory", [0]);
  if (why || !othersMayChange(found)) return why;
  const mode = (found.mode & 0o7777).toString(8).padStart(4, "0");
  return `others may write to ${path}, whose mode is ${mode}: look at what it holds, then chmod go-w ${path}`;
}

/** A log file is given to its owner as it is found. */
function logProblem(path: string, { root, mailOwner }: Host): string | undefined {
  if (!root || !mailOwner) return undefined;
  const link = changeableLink(dirname(path));
  if (link || !statSync(dirname(path), { throwIfNoEntry: false })) return link;
  return unfit(path, "file", logOwners(path, mailOwner));
}

/** In such a directory only a name's owner, and that of the directory, may put another in its place. */
const STICKY = 0o1000;
/** What the kernel follows on one way (MAXSYMLINKS). */
const MAX_LINKS = 40;

/** What is wrong with a link on the way to a place: somebody beside root could have it lead elsewhere. */
export function changeableLink(path: string): string | undefined {
  const left = resolve(path).split("/").filter(Boolean);
  let at = "/", links = 0;
  while (left.length) {
    const next = join(at, left.shift()!);
    const found = lstatSync(next, { throwIfNoEntry: false });
    if (!found) return undefined;
    if (!found.isSymbolicLink()) {
      at = next;
      continue;
    }
    const above = statSync(at);
    const kept = found.uid === 0 && above.uid === 0 && (above.mode & STICKY) !== 0;
    if ((othersMayChange(above) && !kept) || ++links > MAX_LINKS) {
      const whose = userName(above.uid === 0 ? found.uid : above.uid);
      return `${path} is reached by the link ${next}, which ${whose} may change: name the place that it leads to`;
    }
    const target = readlinkSync(next);
    left.unshift(...target.split("/").filter(Boolean));
    if (target.startsWith("/")) at = "/";
  }
  return undefined;
}
