/** Files and directories are given to whom the tables say they belong to, where this process may give anything away. */

import { warning } from "../../shared/log/log.ts";
import { codeOf } from "./trouble.ts";

/** Who a mailbox belongs to. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

let told = false;

/**
 * Gives something away; `chown` is the system call on it. Only a system that was started as root can: in any other all
 * mailboxes belong to the user who runs it, and the log says so once.
 */
export function give(owner: Owner | undefined, chown: (uid: number, gid: number) => void): void {
  if (!owner) return;
  try {
    chown(owner.uid, owner.gid);
  } catch (error) {
    // EINVAL: the sandbox of an ordinary user knows no other user.
    if (!["EPERM", "EINVAL"].includes(codeOf(error) ?? "")) throw error;
    if (!told) {
      warning(
        `virtual_uid_maps: mailboxes stay with the user who runs the system, ` +
          `only root can give them to ${owner.uid}:${owner.gid}`,
      );
    }
    told = true;
  }
}
