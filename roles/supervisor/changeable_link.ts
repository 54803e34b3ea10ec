/** Links that lead root to a place, and whoever may change them to another. */

import { lstatSync, readlinkSync, statSync } from "node:fs";
import { join, resolve } from "@std/path";
import { othersMayChange } from "./by_descriptor.ts";
import { userName } from "./host.ts";

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
