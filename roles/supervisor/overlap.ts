/** Places that must not lie in one another: whoever writes the one would write the other. */

import { basename, dirname, join } from "@std/path";
import { databaseDirectory, maildropDirectory, syslogDirectory } from "../../shared/layout.ts";

/** Why mailboxes or a log cannot be there, for the queue's sake; undefined when they can. */
export function overlapProblem(path: string, queue: string): string | undefined {
  const real = realPath(path), all = realPath(queue);
  if (isIn(all, real)) {
    return `${path} contains the queue, ${queue}: choose a directory that does not`;
  }
  const own = [databaseDirectory, maildropDirectory, syslogDirectory].map((of) => of(all));
  const around = [...own, join(all, "private"), join(all, "public")]
    .find((part) => isIn(real, part));
  return around && `${path} lies in ${around}, which is the queue's own: choose another place`;
}

function isIn(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

/** Without links, as far as it is there. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(realPath(above), basename(path));
  }
}
